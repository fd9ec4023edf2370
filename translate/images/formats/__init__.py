"""Image formats: each is declared once, in the file of its name, and found by listing this folder."""

from __future__ import annotations

from translate import lookup
from translate.images.formats._contract import Header, ImageFormat, Writer

__all__ = ["EXTENSIONS", "FORMATS", "Header", "ImageFormat", "Writer"]

FORMATS: dict[str, ImageFormat] = {
    name: lookup.load(__name__, name, "image format").FORMAT for name in lookup.names(__name__)
}
"""Every format that is read, by its name."""

EXTENSIONS: dict[str, str] = {suffix: format_.name for format_ in FORMATS.values() for suffix in format_.suffixes}
"""Extension of a key, in lower case, and the format that it promises."""

WRITTEN = tuple(name for name, format_ in FORMATS.items() if format_.writer)
"""Names of the formats that are also written."""


def named(word: str) -> ImageFormat:
    """The written format of a name, or of an extension without its dot (``jpg``, ``tif``).

    Raises `UnknownNameError`, which lists the names.
    """
    name = EXTENSIONS.get(f".{word}", word)
    if name not in WRITTEN:
        raise lookup.unknown("output format", word, ["keep", *WRITTEN])
    return FORMATS[name]


def titles() -> str:
    """All of them in words: ``AVIF, BMP, ... or WebP``."""
    *others, last = [format_.title for format_ in FORMATS.values()]
    return f"{', '.join(others)} or {last}"
