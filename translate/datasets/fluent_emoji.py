"""Fluent Emoji: the same thing drawn three times: in ink, flat, and as a 3D render.

Microsoft's drawings (MIT) come as three npm packages. A *key* is an emoji's code points in lower-case
hexadecimal, padded to four digits, joined with ``-``, without the variation selector ``fe0f``. Drawings are
matched by key; emoji with a skin tone are left out. The split is a function of the key alone, so it is the same
on every machine.

    train/ink   train/flat   train/render       the same names in all three: pairs with a known answer
    test/ink    test/flat    test/render        never trained on
    unpaired/trainA          unpaired/trainB    flat drawings and renders of *different* training keys
    index.csv   ATTRIBUTION.md                  written last
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from translate.datasets import require
from translate.datasets.folder import on_white
from translate.errors import DataError
from translate.images.codec import decode, encode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from translate.stores.contract import ObjectStore

Split = Literal["train", "test"]
Half = Literal["flat", "render", ""]

PACKAGES = {
    "ink": ("@iconify-json/fluent-emoji-high-contrast", "1.2.6"),
    "flat": ("@iconify-json/fluent-emoji-flat", "1.2.6"),
    "render": ("@lobehub/fluent-emoji-3d", "1.1.0"),
}
"""Domain -> npm package and version."""

EXPECTED_TRIPLES = 1570
_SKIN_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
_OVERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Triple:
    """Three drawings of one emoji, as the packages hold them."""

    key: str
    ink: str
    """SVG text."""
    flat: str
    """SVG text."""
    render: bytes
    """WebP, 256 px, with alpha."""


def emoji_key(code_points: str) -> str:
    """Canonical key of code points with ``-`` between them: ``"2A-FE0F-20E3"`` -> ``"002a-20e3"``."""
    points = (point.lower().zfill(4) for point in code_points.split("-"))
    return "-".join(point for point in points if point != "fe0f")


def split_of(key: str) -> tuple[Split, Half]:
    """Where a key belongs: 15 % test; the rest in two disjoint halves for unpaired training."""
    number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
    if number % 100 < 15:
        return "test", ""
    return "train", "flat" if number // 100 % 2 == 0 else "render"


def prepare(
    store: ObjectStore,
    *,
    size_px: int = 128,
    packages: Path | None = None,
    report: Listener = silent,
) -> dict[str, int]:
    """Write the dataset as square PNG files of ``size_px`` on white into ``store``; returns images by folder.

    ``packages`` is a folder with the three packed ``.tgz`` files; without it the npm client gets them. Raises
    `DataError` if npm or a package is missing, or if the packages do not hold the expected triples.
    """
    require("resvg_py", "datasets")
    if packages is not None:
        triples = read_triples(packages)
    else:
        with tempfile.TemporaryDirectory() as folder:
            download(Path(folder))
            triples = read_triples(Path(folder))
    if len(triples) != EXPECTED_TRIPLES:
        raise DataError(f"the packages hold {len(triples)} complete emoji, expected {EXPECTED_TRIPLES}; "
                        f"use exactly these versions: {_package_list()}")
    counts: dict[str, int] = {}
    for done, triple in enumerate(triples, start=1):
        for folder_key, png in _images(triple, size_px):
            store.put(f"{folder_key}/{triple.key}.png", png, content_type="image/png")
            counts[folder_key] = counts.get(folder_key, 0) + 1
        report(Progress(done, len(triples), "emoji"))
    store.put("ATTRIBUTION.md", _attribution(size_px).encode(), content_type="text/markdown")
    store.put("index.csv", _index(triples).encode(), content_type="text/csv")
    return dict(sorted(counts.items()))


def download(folder: Path) -> None:
    """Get the three packages, at their pinned versions, into ``folder`` with the npm client."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("the npm client is not installed; install Node.js, or pack these packages elsewhere and "
                        f"give their folder with --packages: {_package_list()}")
    names = [f"{name}@{version}" for name, version in PACKAGES.values()]
    done = subprocess.run([npm, "pack", "--silent", *names], cwd=folder, capture_output=True, text=True,  # noqa: S603
                          check=False)
    if done.returncode != 0:
        raise DataError(f"npm could not get {', '.join(names)}: {done.stderr.strip() or 'no message'}")


def read_triples(folder: Path) -> list[Triple]:
    """Match the drawings of the three packed packages in ``folder`` by key, sorted, without skin tones."""
    ink = _read_icons(_package_file(folder, "ink"))
    flat = _read_icons(_package_file(folder, "flat"))
    render = _read_renders(_package_file(folder, "render"))
    common = sorted(ink.keys() & flat.keys() & render.keys())
    return [Triple(key, ink[key], flat[key], render[key])
            for key in common if not _SKIN_TONES & set(key.split("-"))]


def draw_svg(svg: str, size_px: int) -> NDArray[np.uint8]:
    """Draw an SVG on a white square, (size_px, size_px, 3) uint8 RGB; drawn larger and reduced with Lanczos."""
    import resvg_py

    large = size_px * _OVERSAMPLING
    png = resvg_py.svg_to_bytes(svg_string=svg, width=large, height=large, background="#ffffff")
    return _reduce(on_white(decode(bytes(png))), size_px)


def draw_render(webp: bytes, size_px: int) -> NDArray[np.uint8]:
    """Put a render with alpha on a white square: (size_px, size_px, 3) uint8 RGB, reduced with Lanczos."""
    return _reduce(on_white(decode(webp)), size_px)


def _images(triple: Triple, size_px: int) -> Iterator[tuple[str, bytes]]:
    split, half = split_of(triple.key)
    flat, render = _png(draw_svg(triple.flat, size_px)), _png(draw_render(triple.render, size_px))
    yield f"{split}/ink", _png(draw_svg(triple.ink, size_px))
    yield f"{split}/flat", flat
    yield f"{split}/render", render
    if half == "flat":
        yield "unpaired/trainA", flat
    elif half == "render":
        yield "unpaired/trainB", render


def _package_file(folder: Path, domain: str) -> Path:
    name, version = PACKAGES[domain]
    path = folder / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not path.is_file():
        raise DataError(f"no {path.name} in {folder}; put the files there that `npm pack` makes of: "
                        f"{_package_list()}")
    return path


def _read_icons(path: Path) -> dict[str, str]:
    """Key -> SVG text, black where the icon leaves the colour open."""
    with tarfile.open(path) as archive:
        icons = json.load(_member(archive, "package/icons.json"))
        names = json.load(_member(archive, "package/chars.json"))
    return {emoji_key(points): _svg(icons, name) for points, name in names.items() if name in icons["icons"]}


def _svg(icons: dict[str, Any], name: str) -> str:
    icon = icons["icons"][name]
    width, height = icon.get("width", icons["width"]), icon.get("height", icons["height"])
    body = icon["body"].replace("currentColor", "#000000")
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">{body}</svg>'


def _read_renders(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        paths = [PurePosixPath(name) for name in archive.getnames() if fnmatch(name, "package/assets/*.webp")]
        return {emoji_key(path.stem): _member(archive, str(path)).read() for path in paths}


def _member(archive: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - a binary file object
    try:
        member = archive.extractfile(name)
    except KeyError as error:
        raise DataError(f"{archive.name!s} holds no {name}; is it the package of that name?") from error
    assert member is not None
    return member


def _reduce(pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    return resize(pixels, size_px, size_px, how="lanczos")


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return encode(Picture(pixels, None, "png"), "png", 100)


def _index(triples: list[Triple]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["key", "split", "half"])
    writer.writerows([triple.key, *split_of(triple.key)] for triple in triples)
    return text.getvalue()


def _package_list() -> str:
    return ", ".join(f"{name}@{version}" for name, version in PACKAGES.values())


def _attribution(size_px: int) -> str:
    lines = "\n".join(f"- {domain}: npm package `{name}` {version}"
                      for domain, (name, version) in PACKAGES.items())
    return (f"# Fluent Emoji, drawn at {size_px} px on white\n\n"
            "Fluent Emoji, Copyright (c) Microsoft Corporation, MIT License "
            "(https://github.com/microsoft/fluentui-emoji).\n\n"
            f"{lines}\n\n"
            "Clock faces, hearts and moons are near duplicates of each other across the split.\n")
