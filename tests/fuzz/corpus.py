"""What is mutated: small files of every accepted format and kind, real ones and made ones."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from tests.image_files import SRGB_PRIMARIES, grey_profile, png, png_chunk, rgb_profile, tiff
from translate.shipped import shipped_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_RNG = np.random.default_rng(0)
_HEIF = Path(__file__).parents[1] / "heif"


def corpus() -> dict[str, bytes]:
    """File by what it is."""
    return {**dict(_real()), **dict(_saved()), **dict(_built())}


def _real() -> Iterator[tuple[str, bytes]]:
    """A shipped photograph's and drawing's content, small enough to be decoded thousands of times."""
    for folder in ("paintings", "photos", "sketches"):
        path = min((shipped_folder("samples") / folder).iterdir())
        image = Image.open(path)
        image.thumbnail((96, 96))
        yield f"real {folder}", _save(image.convert("RGB"), "JPEG" if folder != "sketches" else "PNG")


def _saved() -> Iterator[tuple[str, bytes]]:
    """What Pillow writes: each format in its modes and with its metadata."""
    y, x = np.mgrid[0:40, 0:56]
    rgb = Image.fromarray(np.stack([x * 4, y * 6, 60 + 100 * (x > y)], -1).astype(np.uint8))
    rgba, exif = rgb.copy(), Image.Exif()
    rgba.putalpha(Image.fromarray((x * 4).astype(np.uint8)))
    exif[274], exif[271] = 6, "camera"
    exif.get_ifd(0x8825).update({1: "N", 2: (1.0, 2.0, 3.0)})
    icc, frames = rgb_profile(SRGB_PRIMARIES), [rgb, rgb.rotate(90, expand=False), rgb.transpose(0)]
    yield "jpeg", _save(rgb, "JPEG", exif=exif, icc_profile=icc, comment=b"words")
    yield "jpeg progressive", _save(rgb, "JPEG", progressive=True, restart_marker_blocks=2)
    yield "jpeg grey", _save(rgb.convert("L"), "JPEG", icc_profile=grey_profile(2.2))
    yield "jpeg cmyk", _save(rgb.convert("CMYK"), "JPEG")
    words = PngImagePlugin.PngInfo()
    words.add_text("key", "words" * 20, zip=True)
    words.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        image = rgba.convert(mode) if mode != "I;16" else Image.fromarray((x * 999).astype(np.uint16))
        yield f"png {mode}", _save(image, "PNG", pnginfo=words, icc_profile=icc if mode[0] == "R" else None)
    yield "png animated", _save(rgba, "PNG", save_all=True, append_images=[rgba.rotate(45)])
    yield "avif", _save(rgba, "AVIF", exif=exif, icc_profile=icc)
    yield "avif animated", _save(rgb, "AVIF", save_all=True, append_images=frames)
    for path in sorted(_HEIF.glob("*.heic")):
        yield f"heic {path.stem}", path.read_bytes()
    yield "webp", _save(rgba, "WEBP", exif=exif, icc_profile=icc)
    yield "webp lossless", _save(rgb, "WEBP", lossless=True)
    yield "webp animated", _save(rgb, "WEBP", save_all=True, append_images=frames)
    yield "gif", _save(rgb.convert("P"), "GIF", transparency=3)
    yield "gif animated", _save(rgb.convert("P"), "GIF", save_all=True, append_images=frames, comment=b"words")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp {mode}", _save(rgba.convert(mode), "BMP")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"tiff {compression}", _save(rgb, "TIFF", compression=compression, exif=exif, icc_profile=icc)
    yield "tiff fax", _save(rgb.convert("1"), "TIFF", compression="group4")
    yield "tiff pages", _save(rgb, "TIFF", save_all=True, append_images=frames)
    for mode in ("CMYK", "LA", "RGBA", "P", "F", "I;16", "LAB", "YCbCr"):
        made = {"F": lambda: Image.fromarray(x.astype(np.float32)),
                "I;16": lambda: Image.fromarray((x * 999).astype(np.uint16))}
        yield f"tiff {mode}", _save(made[mode]() if mode in made else rgba.convert("RGB").convert(mode), "TIFF")


def _built() -> Iterator[tuple[str, bytes]]:
    """What Pillow does not write."""
    deep = _RNG.integers(0, 65536, (20, 24, 3), dtype=np.uint16)
    yield "png 16 rgb", png(deep, 16, 2)
    yield "png 16 rgba", png(_RNG.integers(0, 65536, (20, 24, 4), dtype=np.uint16), 16, 6)
    yield "png 2 bit", png(_RNG.integers(0, 4, (20, 24)), 2, 0, png_chunk(b"tRNS", b"\0\1"))
    yield "tiff 16 rgb", tiff(deep, photometric=2, order=">")
    yield "tiff 16 deflate", tiff(deep, photometric=2, compression=8)
    yield "tiff 12 bit", tiff(_RNG.integers(0, 4096, (20, 24), dtype=np.uint16), photometric=1, bits=12)
    yield "tiff white is zero", tiff(_RNG.integers(0, 65536, (20, 24), dtype=np.uint16), photometric=0)
    yield "tiff float", tiff(_RNG.random((20, 24), dtype=np.float32), photometric=1)
    yield "bomb", png(np.zeros((1, 1)), 8, 0, size=(30_000, 30_000))
    yield "text", b"<html><body>not a picture</body></html>"


def _save(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
