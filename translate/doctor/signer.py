"""Whether pictures are signed with Content Credentials, and for how long that will work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from translate.doctor.finding import Finding
from translate.errors import UsageError
from translate.images.credentials import open_signer, signing_certificate, signing_is_asked_for

SOON = timedelta(days=30)
"""A certificate that expires within it is worth a word: new ones take authorities days."""
_UNSET = "correct it, or unset both variables: pictures are then marked, and not signed"


def signer() -> Finding:
    """The signer that the environment names, which signs a picture for trial."""
    if not signing_is_asked_for():
        return Finding("ok", "signer", "none: pictures are marked as machine-made, and not signed")
    try:
        subject, ends = signing_certificate()
        if ends > datetime.now(UTC):
            open_signer()
    except UsageError as error:
        return Finding("problem", "signer", str(error), _UNSET)
    return certificate(subject, ends, datetime.now(UTC))


def certificate(subject: str, ends: datetime, now: datetime) -> Finding:
    """What to say of a certificate that expires at ``ends``; the signer has been tried, unless that was before."""
    if ends <= now:
        return Finding("problem", "signer", f"the certificate of {subject} expired on {ends:%Y-%m-%d}", _UNSET)
    said = f"signs as {subject}, until {ends:%Y-%m-%d}"
    if ends - now < SOON:
        return Finding("warning", "signer", f"{said}: the certificate expires soon",
                       "get a new one; runs that begin after that day will not start")
    return Finding("ok", "signer", said)
