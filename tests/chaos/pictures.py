"""The images of a chaos run and the network that translates them: small and fast, because the store is what is tested.

Most are 32 x 32, PNG and JPEG by turns; a few are broken, so that outcomes other than ok must be kept too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tests.chaos.invariants import Found
from tests.jobs import picture

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDE_PX = 32
AT_ONCE = 8
_BROKEN_EVERY = 97


def make(count: int) -> dict[str, bytes]:
    """``count`` images by key, the same for the same count, in folders with names that need care, and one key that
    is no image's."""
    made = {"notes.txt": b"Not an image, and not to be listed as one.\n"}
    for i in range(count):
        kind, suffix = (("PNG", "png"), ("JPEG", "jpg"))[i % 2]
        data = picture(i, SIDE_PX, SIDE_PX, kind=kind)
        if i % _BROKEN_EVERY == _BROKEN_EVERY - 1:
            data = (data[:100], b"", b"<html>404</html>")[i // _BROKEN_EVERY % 3]
        made[f"{('a', 'b c', 'ö+%20')[i % 3]}/{i:06d}.{suffix}"] = data
    return made


def put_all(client: Any, bucket: str, objects: Mapping[str, bytes]) -> None:
    """Put objects into a bucket, by plain boto3."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda each: client.put_object(Bucket=bucket, Key=each[0], Body=each[1]), objects.items()))


def read_all(client: Any, bucket: str) -> dict[str, Found]:
    """Everything in a bucket, by plain boto3."""

    def read(key: str) -> tuple[str, Found]:
        found = client.get_object(Bucket=bucket, Key=key)
        return key, Found(found["Body"].read(), found["ETag"].strip('"'))

    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return dict(threads.map(read, keys))
