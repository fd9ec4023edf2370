"""The five stages of an image, as plain functions: get, decode, translate, encode, put.

A bad image raises `ItemError`, which is an outcome; a store that cannot be reached raises `StoreError`,
which is not.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from translate.engines.padded import PaddedImage
from translate.engines.sweep import Sweep, reduced
from translate.errors import ItemError, ModelError, NotFoundError, PreconditionError
from translate.images import codec, credentials
from translate.images.formats import FORMATS
from translate.images.mark import VERSION as MARK_VERSION
from translate.images.mark import Mark, model_label, to_xmp
from translate.images.resize import resize, short_side
from translate.images.tensors import to_channels, to_pixels, to_tensor
from translate.stores.contract import PutMode
from translate.stores.patience import never

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from translate.engines.contract import Engine
    from translate.images.credentials import Signer
    from translate.images.picture import ExifChoice, Frames, Limits, OutputFormat, Picture
    from translate.provenance import Sizes, Work
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectInfo, ObjectStore

COMPAT_PX = 256
"""Side to which ``--pixels compat`` squashes every image, as the reference's test script does."""
COMPAT_SEED = 0
"""Of the dropout in ``--pixels compat``; the same for every image, so that a repeat gives the same bytes."""
FLAT_LEVELS = 8
"""An input whose levels spread less than this may well have a constant output."""
PICTURE_BYTES_PER_PIXEL = 8
"""Of a picture on its way: source and result, each with alpha."""


def get(store: ObjectStore, item: Item) -> bytes:
    """The source's bytes, if it is still the one that was listed; else `ItemError` ``input.gone`` or
    ``.changed``."""
    try:
        return store.get(item.key, if_match=item.etag or None).data
    except NotFoundError as error:
        raise ItemError("input.gone", str(error)) from error
    except PreconditionError as error:
        raise ItemError(
            "input.changed", f"{item.key!r} was replaced after it was planned; the next run takes it"
        ) from error


def picture_bytes(data: bytes, limits: Limits) -> int:
    """Memory that the picture in these bytes will take on its way, by its header; 0 for one that `decode` refuses as
    too large. Raises `ItemError` as `decode` does."""
    if len(data) > limits.max_bytes:
        return 0
    facts = codec.probe(data)
    pixels = facts.width * facts.height
    return 0 if pixels > limits.max_pixels else PICTURE_BYTES_PER_PIXEL * pixels


def decode(data: bytes, limits: Limits, frames: Frames, exif: ExifChoice = "drop") -> Picture:
    """Bytes of any image format we read -> upright sRGB picture; raises `ItemError` for what is refused."""
    return codec.decode(data, limits, frames=frames, exif=exif)


def translate(
    picture: Picture, engine: Engine, work: Work, sizes: Sizes, stopped: Callable[[], bool] = never
) -> Picture | None:
    """Translate a picture; the result has its height, width and alpha (``compat``: 256 x 256, without alpha).

    ``sizes`` say how large pictures are done; those in parts ask ``stopped`` between them, and are None from then on.
    Raises `ItemError` ``input.too_large`` (a GPU has not enough memory, or the architecture is of one piece) or
    ``output.invalid``.
    """
    if work.pixels == "compat":
        return _translate_compat(picture, engine)
    height, width = picture.pixels.shape[:2]
    inner = working_size(picture, work)
    seen = resize(picture.pixels, *inner, how="auto")
    try:
        if inner[0] * inner[1] <= sizes.whole_px:
            pixels, notes = _whole(seen, engine), picture.notes
        else:
            found = _in_parts(seen, engine, sizes, stopped)
            if found is None:
                return None
            pixels, notes = found[0], (*picture.notes, found[1])
    except torch.OutOfMemoryError as error:  # of a GPU: nothing else has died of it
        raise ItemError(
            "input.too_large",
            f"{inner[1]} x {inner[0]} pixels need more memory than the {engine.device} device has free; give a smaller "
            "working size with --size",
        ) from error
    _refuse_constant(picture.pixels, pixels)
    return replace(picture, pixels=resize(pixels, height, width, how="auto"), notes=notes)


def _whole(seen: NDArray[np.uint8], engine: Engine) -> NDArray[np.uint8]:
    x = to_channels(to_tensor(seen), engine.translator.in_channels)
    return _levels(engine.translate(x[None])[0])


def _in_parts(
    seen: NDArray[np.uint8], engine: Engine, sizes: Sizes, stopped: Callable[[], bool]
) -> tuple[NDArray[np.uint8], str] | None:
    """With PyTorch, in the engine's precision (int8: in bfloat16); beside the pixels a note. None if stopped."""
    translator = engine.translator
    try:
        sweep = Sweep(translator, "float32" if engine.precision == "float32" else "bfloat16")
    except ModelError as error:
        raise ItemError("input.too_large", str(error)) from error
    pixels = np.empty_like(seen)

    def write(top: int, left: int, part: Tensor) -> None:
        pixels[top : top + part.shape[2], left : left + part.shape[3]] = _levels(part[0])

    exact = sizes.sweep_bytes is None or sweep.memory_bytes(seen.shape[0] * seen.shape[1]) <= sizes.sweep_bytes
    alike = None if exact else PaddedImage(reduced(seen), translator)
    if not sweep.run(PaddedImage(seen, translator), write, stopped, alike):
        return None
    return pixels, "in_parts" if exact else "approximate"


def _levels(y: Tensor) -> NDArray[np.uint8]:
    """(C, H, W) of the network's output -> (H, W, 3) uint8; raises `ItemError` if it is not finite."""
    _refuse_non_finite(bool(np.isfinite(y.numpy()).all()))
    return to_pixels(y)


def working_size(picture: Picture, work: Work) -> tuple[int, int]:
    """Height and width at which the network sees a picture: smaller ones than ``work.size`` are left as they
    are."""
    height, width = picture.pixels.shape[:2]
    if work.pixels == "compat":
        return COMPAT_PX, COMPAT_PX
    if work.size == "native" or min(height, width) <= work.size:
        return height, width
    return short_side(height, width, work.size)


def _translate_compat(picture: Picture, engine: Engine) -> Picture:
    """As the test script of pytorch-CycleGAN-and-pix2pix: squashed to 256 x 256 (bicubic), truncated to
    bytes."""
    small = resize(picture.pixels, COMPAT_PX, COMPAT_PX, how="bicubic")
    x = to_channels(to_tensor(small), engine.translator.in_channels)
    y = engine.compat(x[None], COMPAT_SEED)[0]
    _refuse_non_finite(bool(np.isfinite(y.numpy()).all()))
    pixels = to_pixels(y, rounding="truncate")
    _refuse_constant(small, pixels)
    return replace(picture, pixels=pixels, alpha=None)


def marking() -> str:
    """How this machine marks outputs, for `Work.mark`. Raises `UsageError` if it is to sign them and can't."""
    if not credentials.signing_is_asked_for():
        return MARK_VERSION
    credentials.open_signer()
    return f"{MARK_VERSION}+{credentials.VERSION}"


def mark_of(source: bytes, work: Work) -> Mark:
    """What the output of these source bytes by this work will say of itself."""
    digest = "sha256:" + hashlib.sha256(source).hexdigest()
    return Mark(model_label(work.model), work.model_digest, digest, work.digest)


def encode(
    picture: Picture,
    format: OutputFormat,  # noqa: A002 - the field's own word
    quality: int,
    mark: Mark,
    signer: Signer | None = None,
) -> bytes:
    """Picture -> bytes of ``format``, marked; the same picture and mark always give the same bytes, but for a
    signature."""
    data = codec.encode(picture, format, quality, to_xmp(mark))
    return data if signer is None else signer.sign(data, mark)


def metadata_of(item: Item, work: Work, digest: str) -> dict[str, str]:
    """What lies beside an output in stores that keep such; ``digest`` is that of the output's bytes."""
    return {
        "translate-source-etag": item.etag,
        "translate-work-digest": work.digest,
        "translate-content-digest": digest,
    }


def put(
    store: ObjectStore, item: Item, data: bytes, metadata: dict[str, str], *, replace_existing: bool
) -> ObjectInfo | None:
    """Write the output; None if another is there already and must be kept."""
    mode = PutMode.OVERWRITE if replace_existing else PutMode.CREATE
    content_type = FORMATS[item.format].content_type
    try:
        return store.put(item.output_key, data, mode=mode, content_type=content_type, metadata=metadata)
    except PreconditionError:
        if replace_existing:
            raise
        return _the_same(store, item.output_key, data)


def _the_same(store: ObjectStore, key: str, data: bytes) -> ObjectInfo | None:
    """What is there, if it is these very bytes: ours, of a run or worker that died before it was recorded."""
    try:
        there = store.get(key)
    except NotFoundError:  # removed meanwhile
        return None
    return there.info if there.data == data else None


def _refuse_non_finite(finite: bool) -> None:
    if not finite:
        raise ItemError("output.invalid", "the network's output is not finite; check the model, or --device cpu")


def _refuse_constant(source: NDArray[np.uint8], result: NDArray[np.uint8]) -> None:
    if np.ptp(result) == 0 or (result == result[:1, :1]).all():
        spread = int(np.ptp(source.reshape(-1, 3), axis=0).max())
        if spread >= FLAT_LEVELS:
            raise ItemError("output.invalid", "the network's output is one flat colour though its input is not")
