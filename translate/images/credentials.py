"""Content Credentials (C2PA 2): a signed statement in the picture of what made it, written and read.

The mark (`translate.images.mark`) is a claim that anybody can copy; a signature binds the same claim to these very
bytes and to whoever holds the key. Pictures are signed where the environment names a certificate and its key;
both stay on the machine that signs. Needs the extra ``[provenance]``.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import translate
from translate.errors import ItemError, UsageError
from translate.images._sniff import sniff
from translate.images.codec import encode
from translate.images.formats import FORMATS
from translate.images.mark import SOURCE_TYPE, Mark, checked_mark
from translate.images.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

VERSION = "c2pa-1"
"""Of what is written; part of a run's work where it is signed."""

CERTIFICATES = "TRANSLATE_C2PA_CERTIFICATES"
"""Variable that names a PEM file: the signer's certificate and those above it, the signer's first."""
KEY = "TRANSLATE_C2PA_KEY"
"""Variable that names a PEM file: the signer's private key, PKCS#8, not encrypted."""
ALGORITHM = "TRANSLATE_C2PA_ALGORITHM"
"""Variable: es256 (the default), es384, es512, ps256, ps384, ps512 or ed25519."""
TIMESTAMP_URL = "TRANSLATE_C2PA_TIMESTAMP_URL"
"""Variable: an RFC 3161 time stamp authority, asked once a picture; without one nothing is sent anywhere."""
TRUST_ANCHORS = "TRANSLATE_C2PA_TRUST_ANCHORS"
"""Variable that names a PEM file: the root certificates whose signers are trusted when a picture is read."""

_LABEL = "x-translate.mark"
"""Of our assertion: the mark, as XMP has it."""
_LONGEST = 200
_EXTRA = "pip install 'translate-images[provenance]'"
_OFFLINE = {"remote_manifest_fetch": False, "ocsp_fetch": False}
"""A picture decides nothing about whom we call."""
_UNTRUSTED = "signingCredential.untrusted"
_WORDS = {
    "assertion.dataHash.mismatch": "the picture was changed after it was signed",
    "assertion.bmffHash.mismatch": "the picture was changed after it was signed",
    "assertion.hashedURI.mismatch": "what it says of itself was changed after it was signed",
    "claimSignature.mismatch": "what it says of itself was changed after it was signed",
    "signingCredential.expired": "its signer's certificate has expired, and no trusted time stamp says when it signed",
}
"""Of the validation codes of C2PA that people meet."""
_OF_BYTES = (
    "assertion.dataHash.", "assertion.bmffHash.", "assertion.hashedURI.", "assertion.boxesHash.", "assertion.missing",
    "claim",
)
"""How codes begin that speak of other bytes than were signed, not of who signed or when."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the Content Credentials of a picture say, and whether that holds."""

    signer: str
    """The subject of the certificate, such as ``CN=studio, O=Somebody``; who made it could write any name, unless it
    is trusted. Empty where nothing could be read."""
    trusted: bool
    """Whether the certificate is below one of the trust anchors."""
    program: str
    """That wrote them, by its own words."""
    mark: Mark | None
    """What made the picture, if this program wrote them."""
    altered: bool
    """Whether picture or statement are other bytes than were signed."""
    fault: str = ""
    """Why they prove nothing; empty if the signature holds."""

    @property
    def signed_by(self) -> str:
        """The signer in words."""
        return self.signer + ("" if self.trusted else ", who is not on a trust list")


class Signer:
    """Signs pictures; lives in the process that opened it, and may be used by several threads."""

    def __init__(self, certificates: bytes, key: bytes, algorithm: str = "es256", timestamp_url: str = "") -> None:
        """PEM certificates, the signer's first, and its PEM key. Raises `UsageError` if they cannot sign."""
        import c2pa

        self._fault: type[Exception] = c2pa.C2paError
        info = c2pa.C2paSignerInfo(
            alg=algorithm.encode(), sign_cert=certificates, private_key=key, ta_url=timestamp_url.encode() or None
        )
        settings = {"builder": {"thumbnail": {"enabled": False}}, "verify": {**_OFFLINE, "verify_after_sign": True}}
        try:
            self._context = c2pa.Context(c2pa.Settings.from_dict(settings), c2pa.Signer.from_info(info))
            self._sign(_trial(), "png", Mark("trial", *("sha256:" + "0" * 64,) * 3))
        except self._fault as error:
            at = f" and a time stamp of {timestamp_url}" if timestamp_url else ""
            raise UsageError(
                f"pictures can't be signed with {CERTIFICATES}, {KEY} ({algorithm}){at}: {error}. Expected a "
                "chain in PEM, the signer's certificate first, whose extended key usage is for e-mail protection or "
                "for signing documents; and its private key in PEM, PKCS#8, not encrypted"
            ) from error

    def sign(self, data: bytes, mark: Mark) -> bytes:
        """The encoded picture with Content Credentials; no pixel changes.

        Other bytes each time: a salt and a random identifier are part of it. Raises `ItemError`
        ``signer.unavailable``, most likely of the time stamp authority.
        """
        try:
            return self._sign(data, sniff(data), mark)
        except self._fault as error:
            raise ItemError("signer.unavailable", f"the picture could not be signed: {error}; run again to resume "
                                                  "with it") from error

    def _sign(self, data: bytes, format_: str, mark: Mark) -> bytes:
        import c2pa

        out = io.BytesIO()
        with c2pa.Builder(_statement(mark), context=self._context) as builder:
            builder.sign(FORMATS[format_].content_type, io.BytesIO(data), out)
        return out.getvalue()


def signing_is_asked_for() -> bool:
    """Whether the environment names a certificate or a key to sign with."""
    return bool(os.environ.get(CERTIFICATES) or os.environ.get(KEY))


def open_signer() -> Signer:
    """The signer that the environment names; it has signed a picture for trial.

    Raises `UsageError` if something is missing or does not fit; no message holds more of the variables than the
    algorithm and the time stamp's address.
    """
    _refuse_half()
    return Signer(
        _read(CERTIFICATES),
        _read(KEY),
        os.environ.get(ALGORITHM) or "es256",
        os.environ.get(TIMESTAMP_URL, ""),
    )


def signing_certificate() -> tuple[str, datetime]:
    """Whose certificate the environment names (its subject), and when it expires (UTC). Raises `UsageError`."""
    _refuse_half()
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(_read(CERTIFICATES))
    except ValueError as error:
        raise UsageError(f"the file that {CERTIFICATES} names holds no certificate; expected PEM") from error
    return certificate.subject.rfc4514_string(), certificate.not_valid_after_utc


def read_credentials(data: bytes) -> Credentials | None:
    """The Content Credentials of an encoded picture; None if it has none.

    Nothing is fetched: credentials that lie elsewhere are none. Raises `UsageError` if the trust anchors cannot
    be read, `ItemError` as `translate.images.mark.read_mark` does, if this is no image.
    """
    format_ = sniff(data)
    if b"jumb" not in data or b"c2pa" not in data:
        return None
    if importlib.util.find_spec("c2pa") is None:
        return _unreadable(f"there are Content Credentials in it, which are not read without the extra: {_EXTRA}")
    import c2pa

    try:
        with c2pa.Reader(FORMATS[format_].content_type, io.BytesIO(data), context=_reading(_anchors())) as reader:
            found = json.loads(reader.json())
    except (c2pa.C2paError.ManifestNotFound, c2pa.C2paError.NotSupported):
        return None
    except c2pa.C2paError as error:
        return _unreadable(f"its Content Credentials are damaged ({_short(str(error))})", altered=True)
    return _credentials(found)


def _credentials(found: Mapping[str, Any]) -> Credentials:
    """What `c2pa.Reader.json` says: https://opensource.contentauthenticity.org/docs/manifest/json-ref/."""
    manifest = found["manifests"][found["active_manifest"]]
    codes = [status["code"] for status in found.get("validation_status") or [] if status["code"] != _UNTRUSTED]
    signature = manifest.get("signature_info") or {}
    names = {"CN": signature.get("common_name"), "O": signature.get("issuer")}
    programs = manifest.get("claim_generator_info") or [{"name": manifest.get("claim_generator", "")}]
    program = f"{programs[0].get('name') or ''} {programs[0].get('version') or ''}"
    return Credentials(
        signer=", ".join(f"{kind}={_short(name)}" for kind, name in names.items() if name) or "nobody by name",
        trusted=found.get("validation_state") == "Trusted",
        program=_short(program.strip()) or "a program without name",
        mark=_mark(manifest.get("assertions") or []),
        altered=any(code.startswith(_OF_BYTES) for code in codes),
        fault="; ".join(dict.fromkeys(_WORDS.get(code, code) for code in codes)),
    )


def _mark(assertions: list[Mapping[str, Any]]) -> Mark | None:
    for assertion in assertions:
        fields = assertion.get("data")
        if assertion.get("label") == _LABEL and isinstance(fields, dict):
            return checked_mark({name: text for name, text in fields.items() if isinstance(text, str)})
    return None


def _unreadable(fault: str, *, altered: bool = False) -> Credentials:
    return Credentials("", trusted=False, program="", mark=None, altered=altered, fault=fault)


def _statement(mark: Mark) -> dict[str, Any]:
    """The manifest: made by this program, of this input, by this work; no title, no time, no thumbnail."""
    us = {"name": "translate", "version": translate.__version__}
    made = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": us,
        "parameters": {"ingredientIds": ["source"]},
    }
    return {
        "claim_generator_info": [us],
        "ingredients": [
            {"label": "source", "title": "source", "relationship": "inputTo", "instance_id": mark.source_digest}
        ],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
            {"label": _LABEL, "data": {**asdict(mark), "source_type": SOURCE_TYPE}},
        ],
    }


def _trial() -> bytes:
    return encode(Picture(np.zeros((8, 8, 3), np.uint8), None, "png"), "png", 100)


@cache
def _reading(anchors: str) -> Any:  # noqa: ANN401 - c2pa has no types
    import c2pa

    trust = {"user_anchors": anchors} if anchors else {}
    return c2pa.Context(c2pa.Settings.from_dict({"trust": trust, "verify": {**_OFFLINE, "verify_trust": True}}))


def _anchors() -> str:
    if not os.environ.get(TRUST_ANCHORS):
        return ""
    anchors = _read(TRUST_ANCHORS)
    if b"-----BEGIN CERTIFICATE-----" not in anchors:
        raise UsageError(f"the file that {TRUST_ANCHORS} names holds no certificate; expected PEM")
    return anchors.decode("ascii", "replace")


def _refuse_half() -> None:
    """Raise `UsageError` if something is missing to sign with, without a look into the files."""
    for name, other in ((CERTIFICATES, KEY), (KEY, CERTIFICATES)):
        if not os.environ.get(name):
            raise UsageError(f"{name} is not set on this machine; to sign pictures it and {other} have to name PEM "
                             "files")
    if importlib.util.find_spec("c2pa") is None:
        raise UsageError(f"{CERTIFICATES} and {KEY} are set, but what signs is not installed: {_EXTRA}")


def _read(variable: str) -> bytes:
    """The file that a variable names. Never says what the variable holds: it may be the key itself, by mistake."""
    try:
        return Path(os.environ[variable]).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no path"
        raise UsageError(f"what {variable} names can't be read ({reason}); give the path of a PEM file") from error


def _short(text: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:_LONGEST]
