"""Everything that is wrong with a training set, found before a training starts: every file is decoded once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.datasets.layout import Finding, list_set
from translate.errors import ItemError
from translate.images import codec
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.config import Data
    from translate.datasets.layout import Images, ImageSet, Source
    from translate.stores.contract import ObjectStore

_AT_ONCE = 4

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` saw."""

    images: dict[str, int]
    """Usable by the listing, by their role in the set: ``a``, ``b``, ``answers_a`` ..., roles without any left out."""
    findings: list[Finding]
    """Sorted by code and place."""


def check(store: ObjectStore, config: Data, *, report: Listener = silent) -> Checked:
    """List the set and decode every image in it; nothing is changed. Raises `StoreError`."""
    found = list_set(store, config)
    roles = {role: getattr(found, role) for role in ("a", "b", "answers_a", "answers_b", "test_a", "test_b")}
    keys = sorted({source.key for images in roles.values() for source in images.values()})
    findings = list(found.findings)
    sizes: dict[str, Size] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="check") as pool:
        for done, (key, size) in enumerate(zip(keys, pool.map(lambda key: _size(store, key), keys), strict=True), 1):
            if isinstance(size, ItemError):
                findings.append(Finding(size.code, key, size.message))
            else:
                sizes[key] = size
            report(Progress(done, len(keys), "files", f"{len(findings)} found" if findings else ""))
    findings += _sizes(found, sizes, config)
    return Checked({role: len(images) for role, images in roles.items() if images},
                   sorted(set(findings), key=lambda finding: (finding.code, finding.where, finding.message)))


def _size(store: ObjectStore, key: str) -> Size | ItemError:
    """Of the decoded, upright picture: a header may promise what is not there."""
    try:
        pixels = codec.decode(store.get(key).data).pixels
    except ItemError as error:
        return error
    return pixels.shape[0], pixels.shape[1]


def _sizes(found: ImageSet, sizes: dict[str, Size], config: Data) -> Iterator[Finding]:
    """What the sizes tell; a file that can't be read was found already."""
    for images in (found.a, found.b):
        for source in images.values():
            height, width = _part(source, sizes.get(source.key))
            if 0 < min(height, width) < config.crop_px:
                yield Finding("image.too_small", source.key,
                              f"is {width} x {height} pixels; a crop of {config.crop_px} only enlarges it")
    if config.layout == "side_by_side":
        for source in (*found.a.values(), *found.test_a.values()):
            if sizes.get(source.key, (0, 0))[1] % 2:
                yield Finding("pair.sizes_differ", source.key,
                              f"is {sizes[source.key][1]} pixels wide, which makes no two halves of one width")
        return
    pairs = [(found.a, found.answers_a), (found.b, found.answers_b)]
    if config.kind == "paired":
        pairs += [(found.a, found.b), (found.test_a, found.test_b)]
    for images, partners in pairs:
        yield from _pairs(images, partners, sizes)


def _pairs(images: Images, partners: Images, sizes: dict[str, Size]) -> Iterator[Finding]:
    for name, partner in partners.items():
        image = images.get(name)
        if image is None or image.key not in sizes or partner.key not in sizes:
            continue
        (height, width), (other_height, other_width) = sizes[image.key], sizes[partner.key]
        if (height, width) != (other_height, other_width):
            yield Finding("pair.sizes_differ", image.key, f"is {width} x {height} pixels, its partner {partner.key} "
                                                          f"{other_width} x {other_height}; a pair needs one size")


def _part(source: Source, size: Size | None) -> Size:
    """Size of the image itself, (0, 0) if its file can't be read."""
    if size is None:
        return 0, 0
    return size if source.part == "whole" else (size[0], size[1] // 2)
