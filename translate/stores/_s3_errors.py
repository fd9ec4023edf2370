"""What an S3 server's refusal means: from the parsed error response to one of `translate.errors`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from translate.errors import (
    AccessError,
    BusyError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ACCESS = {
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_RENEWABLE = {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired"}
_ANSWERS_TO_HEAD = {"400", "403"}
"""A refused HEAD has no body that could say why."""
_BUSY = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
_DAMAGED_ON_ITS_WAY = {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"}
"""The server got other bytes than we sent."""
_WORST_SKEW_S = 300
"""Half of what S3 allows: beyond this the clock is worth a word."""


def refused(response: Mapping[str, Any], *, subject: str, bucket: str, endpoint: str) -> StoreError:
    """Return the error for a boto3 ``ClientError.response`` about ``subject`` (an object or a URL)."""
    code = str(response["Error"].get("Code", ""))
    message = response["Error"].get("Message", "").rstrip(".") or "no reason given"
    status = response["ResponseMetadata"].get("HTTPStatusCode", 0)
    answer = f"{endpoint} answered {code}: {message}"
    if code in _ACCESS or status in (401, 403):
        return AccessError(f"no access to {subject}: {answer}.{_clock_hint(response, code)}")
    if code == "NoSuchBucket":
        return NotFoundError(f"there is no bucket {bucket!r} at {endpoint}; check its name and the endpoint")
    if status == 404:
        return NotFoundError(f"there is no {subject} at {endpoint}")
    if status == 412 or code == "ConditionalRequestConflict":
        return PreconditionError(f"{subject} exists already, or was changed or removed meanwhile ({code})")
    if code == "NotImplemented" or status == 501:
        return UnsupportedError(f"{subject}: {answer}")
    if code in _BUSY | _DAMAGED_ON_ITS_WAY or status == 429 or status >= 500:
        return BusyError(f"{subject}: {answer}; it stayed so after several tries. Try again later")
    if status in (301, 307) or code in ("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        return StoreError(f"{subject}: {answer}. Set AWS_DEFAULT_REGION to the region of the bucket")
    return StoreError(f"{subject}: {answer}")


def may_be_renewed(response: Mapping[str, Any]) -> bool:
    """Whether credentials were refused in a way that other credentials, written meanwhile, may put right."""
    code = str(response["Error"].get("Code", ""))
    return code in _RENEWABLE or code in _ANSWERS_TO_HEAD


def _clock_hint(response: Mapping[str, Any], code: str) -> str:
    """What to do about a refused request; names the measured skew if the clock is the likely reason."""
    date = response["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    skew_s = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds() if date else 0.0
    if code == "RequestTimeTooSkewed" or abs(skew_s) > _WORST_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        return f" This machine's clock is {abs(skew_s):.0f} s {side} the server's: set the clock"
    if code in ("ExpiredToken", "InvalidToken", "TokenRefreshRequired"):
        return " The credentials have run out: get new ones and run again"
    return " Check the credentials and what they may do"
