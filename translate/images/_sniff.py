"""What kind of file bytes are, from their first bytes; a name's extension proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from translate.errors import ItemError

if TYPE_CHECKING:
    from translate.images.picture import Format

_SIGNATURES: tuple[tuple[bytes, Format], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"II+\0", "tiff"), (b"MM\0+", "tiff"),  # the last two: BigTIFF
    (b"GIF87a", "gif"), (b"GIF89a", "gif"),
)
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}

_OTHER_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"), (b"\xff\x0a", "JPEG XL"),
    (b"8BPS", "Photoshop (PSD)"), (b"\0\0\1\0", "icon (ICO)"), (b"\0\0\2\0", "cursor (CUR)"),
    (b"v/1\1", "OpenEXR"), (b"#?RADIANCE", "Radiance HDR"), (b"qoif", "QOI"), (b"DDS ", "DDS"),
    (b"P4", "PNM"), (b"P5", "PNM"), (b"P6", "PNM"), (b"PF\n", "PFM"),
    (b"FUJIFILMCCD-RAW", "camera raw"), (b"IIU\0", "camera raw"), (b"IIRO", "camera raw"),
)
_HEIF_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC",
                b"heim": "HEIC", b"heis": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF"}
_OTHER_FILES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"), (b"%!PS", "a PostScript document"), (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"), (b"RIFF", "a sound or video file"), (b"\x1aE\xdf\xa3", "a video file"),
)
_ACCEPTED = "PNG, JPEG, WebP, TIFF, GIF or BMP"


def sniff(data: bytes) -> Format:
    """The accepted format that ``data`` starts like.

    Raises `ItemError`: ``input.empty``; ``input.truncated`` where not even the signature is whole;
    ``input.unsupported_mode`` for image formats that are not accepted; ``input.not_an_image`` for all else.
    """
    if not data:
        raise ItemError("input.empty", f"the object holds no bytes; expected {_ACCEPTED}")
    for signature, format_ in _SIGNATURES:
        if data.startswith(signature):
            return format_
        if len(data) > 1 and signature.startswith(data):
            raise ItemError("input.truncated", f"only the first {len(data)} bytes of a {format_.upper()} are "
                                               "there; upload it again")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    raise _refusal(data)


def _refusal(data: bytes) -> ItemError:
    for signature, name in _OTHER_IMAGES:
        if data.startswith(signature):
            return _other_image(name)
    if data[4:8] == b"ftyp":
        brand = _HEIF_BRANDS.get(data[8:12])
        return _other_image(brand) if brand else _no_image("a video file", data)
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


def _other_image(name: str) -> ItemError:
    return ItemError("input.unsupported_mode", f"{name} images are not read; convert it to {_ACCEPTED}")


def _no_image(kind: str, data: bytes) -> ItemError:
    return ItemError("input.not_an_image", f"the content is {kind}, whatever its name says (it starts with "
                                           f"{data[:12]!r}); expected {_ACCEPTED}")
