"""What kind of file bytes are, from their first bytes; a name's extension proves nothing."""

from __future__ import annotations

from translate.errors import ItemError
from translate.images.formats import FORMATS, titles

_OTHER_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop (PSD)"), (b"\0\0\1\0", "icon (ICO)"), (b"\0\0\2\0", "cursor (CUR)"),
    (b"v/1\1", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"), (b"qoif", "QOI"), (b"DDS ", "DDS"),
    (b"P4", "PNM"), (b"P5", "PNM"), (b"P6", "PNM"), (b"PF\n", "PFM"),
    (b"FUJIFILMCCD-RAW", "camera raw"), (b"IIU\0", "camera raw"), (b"IIRO", "camera raw"),
)
_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"), (b"%!PS", "a PostScript document"), (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"), (b"RIFF", "a sound or video file"), (b"\x1aE\xdf\xa3", "a video file"),
)


def sniff(data: bytes) -> str:
    """The name of the format that ``data`` starts like.

    Raises `ItemError`: ``input.empty``; ``input.truncated`` where not even the signature is whole;
    ``input.unsupported_mode`` for image formats that are not accepted; ``input.not_an_image`` for all else.
    """
    if not data:
        raise ItemError("input.empty", f"the object holds no bytes; expected {titles()}")
    for name, format_ in FORMATS.items():
        if data.startswith(format_.signatures) or (format_.matches is not None and format_.matches(data)):
            return name
        if len(data) > 1 and any(signature.startswith(data) for signature in format_.signatures):
            raise ItemError("input.truncated", f"only the first {len(data)} bytes of a {format_.title} are there; "
                                               "upload it again")
    raise _refusal(data)


def _refusal(data: bytes) -> ItemError:
    for signature, name in _OTHER_IMAGES:
        if data.startswith(signature):
            return ItemError("input.unsupported_mode", f"{name} images are not read; convert it to {titles()}")
    if data[4:8] == b"ftyp":
        return _no_image("a video file", data)
    for signature, name in _OTHER_FILES:
        if data.startswith(signature):
            return _no_image(name, data)
    start = data[:1024].lower()
    if b"<svg" in start:
        return _no_image("an SVG drawing (rasterise it first)", data)
    if b"<html" in start or b"<!doctype html" in start:
        return _no_image("an HTML page (often an error page that was saved under an image's name)", data)
    total_printable = sum(32 <= byte < 127 or byte in b"\t\n\r" for byte in start)
    return _no_image("text" if total_printable > 0.8 * len(start) else "of an unknown kind", data)


def _no_image(kind: str, data: bytes) -> ItemError:
    return ItemError("input.not_an_image", f"the content is {kind}, whatever its name says (it starts with "
                                           f"{data[:12]!r}); expected {titles()}")
