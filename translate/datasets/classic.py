"""The classic archives of CycleGAN and pix2pix, fetched from the web into any store.

Unpaired sets are zip files with the folders ``trainA trainB testA testB``, paired ones tar.gz with ``train val test``
of images side by side. An image goes into the store as it is, under its place in the archive; nothing is written
before the whole archive was read and found sound. ``ATTRIBUTION.md`` and ``index.json`` are written last: a
destination that has the index is complete.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from translate import lookup
from translate.config import Frozen, validate
from translate.datasets import _archive, _download
from translate.errors import DataError, ItemError, NotFoundError
from translate.images import codec
from translate.images.formats import FORMATS
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from concurrent.futures import Future

    from translate.stores.contract import ObjectInfo, ObjectStore

INDEX, ATTRIBUTION = "index.json", "ATTRIBUTION.md"
_PUTS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Kind:
    """What the archives of one paper have in common."""

    base_url: str
    """Where the authors offer them. Not encrypted, hence the checksum in the index."""
    extension: Literal[".zip", ".tar.gz"]
    folders: tuple[str, ...]
    needed: tuple[str, ...]
    """Folders without which it is not such a set."""
    paper: str


UNPAIRED = Kind("http://efrosgans.eecs.berkeley.edu/cyclegan/datasets/", ".zip", ("trainA", "trainB", "testA", "testB"),
                ("trainA", "trainB"), "Zhu et al. 2017, arXiv:1703.10593")
PAIRED = Kind("http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/", ".tar.gz", ("train", "val", "test"),
              ("train",), "Isola et al. 2017, arXiv:1611.07004")
SETS: dict[str, Kind] = {
    **dict.fromkeys(("apple2orange", "cezanne2photo", "horse2zebra", "iphone2dslr_flower", "monet2photo",
                     "summer2winter_yosemite", "ukiyoe2photo", "vangogh2photo"), UNPAIRED),
    **dict.fromkeys(("cityscapes", "edges2handbags", "edges2shoes", "facades", "maps", "night2day"), PAIRED),
}
"""Name -> kind. (The authors no longer offer cityscapes, whose licence forbids it: it needs ``base_url``.)"""


class LeftOut(Frozen):
    """A file of the archive that is not in the store."""

    name: str
    reason: str


class Index(Frozen):
    """``index.json``: what was fetched, and that it is complete."""

    name: str
    url: str
    sha256: str
    """Of the archive, in hexadecimal."""
    archive_bytes: int
    images: dict[str, int]
    """By folder."""
    left_out: list[LeftOut] = Field(default_factory=list)
    """Files under an image's name that can't be read, and images outside the set's folders."""


def fetch(
    name: str,
    store: ObjectStore,
    *,
    base_url: str | None = None,
    first_pause_s: float = _download.FIRST_PAUSE_S,
    report: Listener = silent,
) -> tuple[Index, bool]:
    """Fetch a set into ``store``; returns its index, and whether anything was done: a complete one is left alone.

    ``base_url`` is the folder that has ``<name>.zip`` or ``<name>.tar.gz``. Raises `UnknownNameError`; `DataError` for
    what the server or the archive has wrong, and for a destination that holds another set.
    """
    if name not in SETS:
        raise lookup.unknown("classic set", name, SETS)
    kind = SETS[name]
    url = f"{(base_url or kind.base_url).rstrip('/')}/{name}{kind.extension}"
    done = _read_index(store)
    if done is not None:
        if (done.name, done.url) != (name, url):
            raise DataError(f"{store.url} holds {done.name} from {done.url} already; give another place for {name}")
        return done, False
    with tempfile.TemporaryDirectory(prefix="translate-fetch-") as folder:
        path = Path(folder) / f"{name}{kind.extension}"
        sha256 = _download.download(url, path, first_bytes=_archive.FIRST_BYTES[kind.extension],
                                    first_pause_s=first_pause_s, report=report)
        keys, left_out = _inspect(path, name, kind, report)
        _refuse_strangers(store, kind, keys)
        _write(path, name, kind, store, keys, report)
        index = Index(name=name, url=url, sha256=sha256, archive_bytes=path.stat().st_size,
                      images=dict(sorted(Counter(key.split("/")[0] for key in keys).items())), left_out=left_out)
    store.put(ATTRIBUTION, _attribution(index, kind).encode(), content_type="text/markdown")
    store.put(INDEX, (index.model_dump_json(indent=1) + "\n").encode(), content_type="application/json")
    return index, True


def _read_index(store: ObjectStore) -> Index | None:
    try:
        text = store.get(INDEX).data
    except NotFoundError:
        return None
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError(f"{INDEX} in {store.url} is no JSON ({error}); give an empty place") from error
    return validate(Index, values, f"{INDEX} in {store.url}")


def _inspect(path: Path, name: str, kind: Kind, report: Listener) -> tuple[set[str], list[LeftOut]]:
    """Read the whole archive once: the keys of its images, and what will be left out."""
    keys: set[str] = set()
    left_out: list[LeftOut] = []
    for number, (member, content) in enumerate(_archive.archive_files(path), start=1):
        report(Progress(number, None, "files checked"))
        if not _is_picture(member):
            continue
        key = _key(member, name, kind)
        if key is None:
            left_out.append(LeftOut(name=member, reason=f"is not in {', '.join(kind.folders)}"))
            continue
        if key in keys:
            raise DataError(f"{path.name} holds {key} twice; is it the archive of {name}?")
        try:
            codec.probe(content)
        except ItemError as error:
            left_out.append(LeftOut(name=member, reason=str(error)))
            continue
        keys.add(key)
    missing = [folder for folder in kind.needed if not any(key.startswith(f"{folder}/") for key in keys)]
    if missing:
        raise DataError(f"{path.name} holds no readable images in {', '.join(missing)}; expected the folders "
                        f"{', '.join(kind.folders)}: is it the archive of {name}?")
    return keys, left_out


def _is_picture(member: str) -> bool:
    """By name; not what macOS and others put beside pictures (``__MACOSX/._x.jpg``)."""
    return codec.has_image_extension(member) and not any(part.startswith((".", "__MACOSX")) for part in
                                                         member.split("/"))


def _key(member: str, name: str, kind: Kind) -> str | None:
    """The place in the set: the member without the archive's top folder; None outside the set's folders."""
    key = member.removeprefix(f"{name}/")
    return key if key.split("/")[0] in kind.folders and "/" in key else None


def _refuse_strangers(store: ObjectStore, kind: Kind, keys: set[str]) -> None:
    """Other images in the set's folders would be trained on as if they belonged to it."""
    for folder in kind.folders:
        for info in store.list(f"{folder}/"):
            if info.key not in keys:
                raise DataError(f"{store.url} holds {info.key}, which is not of this set; give another place, or "
                                "clear it")


def _write(path: Path, name: str, kind: Kind, store: ObjectStore, keys: set[str], report: Listener) -> None:
    """Put the images, several at a time."""
    done = 0
    waiting: deque[Future[ObjectInfo]] = deque()
    with ThreadPoolExecutor(_PUTS_AT_ONCE, thread_name_prefix="put") as pool:
        for member, content in _archive.archive_files(path):
            key = _key(member, name, kind)
            if key not in keys or key is None:
                continue
            content_type = FORMATS[codec.probe(content).format].content_type
            waiting.append(pool.submit(store.put, key, content, content_type=content_type))
            if len(waiting) >= 2 * _PUTS_AT_ONCE:
                waiting.popleft().result()
                done += 1
                report(Progress(done, len(keys), "images"))
        for put in waiting:
            put.result()
    report(Progress(len(keys), len(keys), "images"))


def _attribution(index: Index, kind: Kind) -> str:
    return (f"# {index.name}\n\nFrom {index.url}\n\n- archive: {index.archive_bytes:,} bytes, sha256 `{index.sha256}`\n"
            f"- published with {kind.paper}; please cite it\n\n"
            "The images are by many hands and under the terms of those who made and collected them; the archive names "
            "no licence. Look into them before sharing images, or models trained on them.\n")
