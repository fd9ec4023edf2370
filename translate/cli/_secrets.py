"""Words without secrets: the last look at what is shown or kept, wherever a library's error came from."""

from __future__ import annotations

import os
import re

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
"""Variables whose values are nobody's business."""
_SHORTEST = 8
"""A shorter value would be found in innocent words."""
_USER_OF_URL = re.compile(r"(?<=://)[^/\s'\"<>]*@|\b[\w.%+-]+:[^/\s'\"<>@]+@")
"""Before a host; the second form is that of a URL whose scheme was forgotten."""


def redact(text: str) -> str:
    """The text with user names and passwords taken out of URLs, and credentials of the environment starred."""
    for value in (os.environ.get(name, "") for name in SECRETS):
        if len(value) >= _SHORTEST:
            text = text.replace(value, "***")
    return _USER_OF_URL.sub("", text)
