"""Some of a job's images, read while it is planned, to measure engines and to calibrate int8."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from translate.errors import ItemError, NotFoundError
from translate.images import codec
from translate.images.picture import Limits
from translate.images.resize import resize
from translate.records.layout import RESERVED
from translate.shipped import shipped_folder
from translate.translation.core import working_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from translate.batch.planning import Selection
    from translate.batch.request import RunRequest
    from translate.provenance import Work
    from translate.stores.contract import ObjectStore

    Pixels = NDArray[np.uint8]

COUNTED = 5000
"""Images are counted up to this number: more do not change which engine is worth its start."""
MEASURED = 3
"""How many images engines are measured and compared with."""
TRIED = 4
"""So many times more keys are tried, as some may be no readable images."""


def count_images(source: ObjectStore, selection: Selection) -> int:
    """How many images a job may have, up to `COUNTED`; what earlier runs did is not looked at."""
    bounds = [bound for bound in (selection.limit, selection.sample, COUNTED) if bound is not None]
    return sum(1 for _ in islice(_keys(source, selection), min(bounds)))


def first_images(job: RunRequest, work: Work) -> list[Pixels]:
    """The first of a job's images, uint8 (H, W, 3) RGB at the working size; shipped ones if none can be read."""
    found = _read(job, work, islice(_keys(job.source, job.selection), TRIED * MEASURED), MEASURED)
    return found or shipped_images(job, work)


def spread_images(job: RunRequest, work: Work, count: int) -> list[Pixels]:
    """About ``count`` of a job's images, evenly spread over its listing, in the form of `first_images`."""
    kept: list[str] = []
    step = 1
    for number, key in enumerate(_keys(job.source, job.selection)):
        if number % step == 0:
            kept.append(key)
        if len(kept) >= 2 * TRIED * count:
            kept, step = kept[::2], 2 * step
    stride = max(1, len(kept) // count)
    in_turn = [key for start in range(stride) for key in kept[start::stride]]
    return _read(job, work, in_turn[: TRIED * count], count)


def shipped_images(job: RunRequest, work: Work) -> list[Pixels]:
    """Some of the shipped samples, in the form of `first_images`."""
    files = sorted(shipped_folder("samples").glob("photos/*.jpg"))[:MEASURED]
    return [_at_working_size(job, work, path.read_bytes()) for path in files]


def _read(job: RunRequest, work: Work, keys: Iterable[str], count: int) -> list[Pixels]:
    found: list[Pixels] = []
    for key in keys:
        if len(found) == count:
            break
        try:
            found.append(_at_working_size(job, work, job.source.get(key).data))
        except (ItemError, NotFoundError):  # an outcome of the run, when its turn comes
            continue
    return found


def _at_working_size(job: RunRequest, work: Work, data: bytes) -> Pixels:
    picture = codec.decode(data, limits_of(job), frames=job.settings.frames)
    return resize(picture.pixels, *working_size(picture, work), how="auto")


def limits_of(job: RunRequest) -> Limits:
    """The limits beyond which an image is refused undecoded."""
    return Limits(max_pixels=int(job.settings.max_megapixels * 1_000_000))


def _keys(source: ObjectStore, selection: Selection) -> Iterator[str]:
    keys = (info.key for info in source.list()) if selection.keys is None else iter(sorted(set(selection.keys)))
    return (
        key for key in keys
        if codec.has_image_extension(key) and not key.startswith(RESERVED) and selection.matches(key)
    )
