"""Which images a training set has, by domain and name, in every layout; and what is wrong with the listing.

Training and `translate.datasets.check` both read a set through `list_set`, so that they cannot disagree.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from translate.datasets._manifest import read_manifest, write_manifest
from translate.datasets.folder import named_images, prefix_of
from translate.errors import DataError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    from translate.config import Data
    from translate.datasets._manifest import Row
    from translate.stores.contract import ObjectStore


@dataclass(frozen=True, slots=True)
class Source:
    """Where the pixels of one image of a domain are."""

    key: str
    part: Literal["whole", "left", "right"] = "whole"

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image itself out of the file's (H, W, 3) uint8: all of it, or a half, (H, int(W / 2), 3).

        Of an odd width the last column belongs to neither half.
        """
        half = pixels.shape[1] // 2
        if self.part == "left":
            return np.ascontiguousarray(pixels[:, :half])
        if self.part == "right":
            return np.ascontiguousarray(pixels[:, half : 2 * half])
        return pixels


Images = dict[str, Source]
"""Images of a domain by name, in the order in which training numbers them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a set. The codes are listed in the README of this folder."""

    code: str
    where: str
    """Key, folder or line."""
    message: str


@dataclass(frozen=True, slots=True)
class ImageSet:
    """A listed training set; of pairs, both halves have the same names in the same order."""

    a: Images
    b: Images
    answers_a: Images
    answers_b: Images
    test_a: Images
    test_b: Images
    findings: list[Finding]

    @property
    def keys(self) -> set[str]:
        """Of every image."""
        parts = (self.a, self.b, self.answers_a, self.answers_b, self.test_a, self.test_b)
        return {source.key for images in parts for source in images.values()}


def digest_of_set(store: ObjectStore, config: Data, found: ImageSet) -> str:
    """``sha256:<hex>`` of the listing of a set: the keys and ETags of its images. Another listing, no image is read.

    ETags are the store's own: a copy elsewhere has another digest. Raises `StoreError`.
    """
    folders = (config.a, config.b, config.answers_a, config.answers_b, config.test_a, config.test_b, config.pairs,
               config.test_pairs)
    listed = [""] if config.layout == "manifest" else [prefix_of(name) for name in folders if name is not None]
    keys = found.keys
    lines = {f"{info.key!a} {info.etag!a}\n" for prefix in listed for info in store.list(prefix) if info.key in keys}
    return "sha256:" + hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def list_set(store: ObjectStore, config: Data) -> ImageSet:
    """List a set without reading an image; what is wrong stands in ``findings``, nothing is dropped in silence.

    Halves without a partner are found and left out of the pairs. Raises `StoreError`.
    """
    lister = Lister(store)
    if config.layout == "folders":
        paired = config.kind == "paired"
        a, b = lister.two_folders(config.a, config.b, paired=paired)
        test_a, test_b = lister.two_folders(config.test_a, config.test_b, paired=paired)
        answers_a = lister.answers(config.answers_a, a, config.a)
        answers_b = lister.answers(config.answers_b, b, config.b)
        return ImageSet(a, b, answers_a, answers_b, test_a, test_b, lister.findings)
    (a, b), (test_a, test_b) = (lister.pairs(config.layout, place, config.left)
                                for place in (config.pairs, config.test_pairs))
    return ImageSet(a, b, {}, {}, test_a, test_b, lister.findings)


def refuse(store: ObjectStore, findings: list[Finding]) -> None:
    """Raise `DataError` if something is wrong with a listing; the first findings are named."""
    if findings:
        first = "; ".join(f"{finding.where} {finding.message}" for finding in findings[:3])
        raise DataError(f"something is wrong with the images in {store.url}, in {len(findings)} place(s), which "
                        f"`translate data check` lists: {first}")


def rows_among(manifest: str, content: bytes, keys: AbstractSet[str]) -> bytes:
    """The content of a manifest, CSV or Parquet, with those rows only whose two images are among ``keys``."""
    return write_manifest(manifest, [pair for _, pair in read_manifest(manifest, content) if keys >= set(pair)])


@dataclass
class Lister:
    """Lists the places of a set and gathers what is wrong with them."""

    store: ObjectStore
    findings: list[Finding] = field(default_factory=list)
    _present: set[str] | None = None
    """Every key of the store; listed once, where a manifest asks for it."""

    def two_folders(self, a: str | None, b: str | None, *, paired: bool) -> tuple[Images, Images]:
        """Both domains' folders; None is a folder that the pipeline does not name."""
        left, right = self.folder(a), self.folder(b)
        if not paired or not left or not right:
            return left, right
        for folder, images, other_folder, other in ((a, left, b, right), (b, right, a, left)):
            for name in sorted(images.keys() - other.keys()):
                self._found("pair.missing_half", images[name].key,
                            f"has no partner of the name {name} in {other_folder}; pairs need the same names in "
                            f"{folder} and {other_folder}")
        return ({name: source for name, source in left.items() if name in right},
                {name: right[name] for name in left if name in right})

    def folder(self, folder: str | None) -> Images:
        """The images in a folder; of those with one name the first."""
        images: Images = {}
        if folder is None:
            return images
        for name, key in named_images(self.store, folder):
            if name in images:
                self._found("name.duplicate", key, f"differs from {images[name].key} in its extension only; remove one")
            else:
                images[name] = Source(key)
        if not images:
            self._found("folder.empty", folder, f"holds no images; expected files such as {folder}/name.png")
        return images

    def answers(self, folder: str | None, images: Images, image_folder: str) -> Images:
        """The true translations of some images."""
        answers = self.folder(folder)
        for name in sorted(answers.keys() - images.keys()):
            self._found("answer.without_image", answers[name].key,
                        f"answers no image: there is no {name} in {image_folder}; an answer has its image's name")
        return {name: source for name, source in answers.items() if name in images}

    def pairs(
        self, layout: Literal["side_by_side", "manifest"], place: str | None, left: Literal["a", "b"]
    ) -> tuple[Images, Images]:
        """Both domains of the pairs in a folder or manifest; None is one that the pipeline does not name."""
        return self._halves(place, left) if layout == "side_by_side" else self._rows(place)

    def _halves(self, folder: str | None, left: Literal["a", "b"]) -> tuple[Images, Images]:
        """Both domains of images side by side."""
        lefts = {name: Source(source.key, "left") for name, source in self.folder(folder).items()}
        rights = {name: Source(source.key, "right") for name, source in lefts.items()}
        return (lefts, rights) if left == "a" else (rights, lefts)

    def _rows(self, manifest: str | None) -> tuple[Images, Images]:
        """Both domains of a CSV or Parquet file."""
        if manifest and self._present is None:
            self._present = {info.key for info in self.store.list()}
        present = self._present or set()
        a: Images = {}
        b: Images = {}
        for line, keys in self._manifest(manifest) if manifest else []:
            where = f"{manifest}:{line}"
            missing = [key or "(empty)" for key in keys if key not in present]
            name = " -> ".join(keys)
            if missing:
                self._found("pair.missing_half", where, f"names {' and '.join(missing)}, not in the set; the columns "
                                                        "hold paths relative to the set's top folder")
            elif name in a:
                self._found("name.duplicate", where, f"repeats the pair {name}; remove one")
            else:
                a[name], b[name] = Source(keys[0]), Source(keys[1])
        if manifest and not a:
            self._found("folder.empty", manifest, "lists no pair that is there")
        return a, b

    def _manifest(self, key: str) -> list[Row]:
        """Every row, none if it is no such table."""
        try:
            return read_manifest(key, self.store.get(key).data)
        except NotFoundError:
            self._found("manifest.invalid", key, "is not there; expected CSV or Parquet with the columns a and b")
        except DataError as error:
            self._found("manifest.invalid", key, str(error))
        return []

    def _found(self, code: str, where: str, message: str) -> None:
        self.findings.append(Finding(code, where, message))
