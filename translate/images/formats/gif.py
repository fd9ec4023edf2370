"""GIF, which is only read."""

from __future__ import annotations

import io

from PIL.GifImagePlugin import GifImageFile

from translate.images.formats._contract import Header, ImageFormat


def _open(data: bytes) -> Header:
    image = GifImageFile(io.BytesIO(data))
    return Header(image, has_more_frames=image.n_frames > 1)


FORMAT = ImageFormat(
    name="gif",
    title="GIF",
    suffixes=(".gif",),
    content_type="image/gif",
    open=_open,
    signatures=(b"GIF87a", b"GIF89a"),
    kept_as="png",
)
