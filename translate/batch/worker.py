"""One model and the five stages around it, overlapped: what each worker of any executor runs.

Every image is done by one thread from end to end, so that getting, decoding, encoding and putting go on beside the
network. How many images are in hand follows from the stages' times (`translate.batch.pace`), and is bounded by the
memory of their pixels and files (`translate.batch.allowance`). Entries come out in the order of the items.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from translate.batch import stages
from translate.batch.allowance import Allowance
from translate.batch.breaker import Breaker
from translate.batch.pace import MOST, Pace
from translate.engines import opening
from translate.errors import AccessError, ItemError, ModelError, NotFoundError, UnavailableError
from translate.images.credentials import open_signer
from translate.records import layout
from translate.records.ledger import EXISTS, Entry, unhappy
from translate.stores.patience import PatientStore, never
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from translate.engines.contract import Engine
    from translate.images.mark import Mark
    from translate.images.picture import Frames, Limits, Picture
    from translate.models.translator import Translator
    from translate.provenance import Sizes, Work
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectStore

PIXELS_BYTES = 512 * 1024 * 1024
"""Of the pictures in hand, sources and results; a larger one is in hand alone."""
FILES_BYTES = 256 * 1024 * 1024
"""Of source files that are got and not yet decoded."""
CHANGING = 1
"""Images whose tensors are made and unmade while the engine computes as many others as it wants."""
AHEAD = 256
"""Images that may be done, or in hand, behind one that takes long: their outcomes wait for its own."""
LARGE_PIXELS = 1_000_000
"""Working sizes above this take turns, for the memory that they need."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to know, on whatever machine it is; picklable."""

    source: ObjectStore
    output: ObjectStore
    model: str
    """For `translate.registry.open_model`."""
    registry_url: str | None
    work: Work
    limits: Limits
    frames: Frames
    sizes: Sizes
    replace_existing: bool = True
    """Whether an output that is there is replaced; else the item ends as skipped, ``output.exists``."""


def open_engine(task: Task, translator: Translator) -> Engine:
    """The model that was planned with, on the engine that was planned with, whatever else this machine has.

    Raises `ModelError` if the model is another by now, `UsageError` if this machine can't have the engine.
    """
    if translator.facts.digest != task.work.model_digest:
        raise ModelError(
            f"model {task.model!r} has digest {translator.facts.digest}, but the run was planned with "
            f"{task.work.model_digest}: it was replaced meanwhile. Run again"
        )
    return opening.open_engine(task.work.engine, translator, read_calibrated(task.output, task.work.engine))


def read_calibrated(output: ObjectStore, engine: str) -> bytes | None:
    """The calibrated weights that an engine's name tells of; None if it tells of none, or they are not there."""
    if not opening.is_calibrated(engine):
        return None
    try:
        return read_record(output, layout.calibrated_key(engine)).data
    except NotFoundError:
        return None


class Worker:
    """Does items, one entry each."""

    def __init__(self, task: Task, engine: Engine) -> None:
        """Raises `UsageError` if outputs are to be signed and this machine has nothing to sign with."""
        self._task = task
        self._engine = engine
        self._signer = open_signer() if task.work.is_signed else None
        networks = engine.concurrency + CHANGING
        self._network = threading.BoundedSemaphore(networks)
        self._large = threading.Lock()
        self._pace = Pace(networks)
        self._pixels, self._files = Allowance(PIXELS_BYTES), Allowance(FILES_BYTES)
        self._stopped: Callable[[], bool] = never
        self._source = PatientStore(task.source, lambda: self._stopped())
        self._output = PatientStore(task.output, lambda: self._stopped())
        self._breaker = Breaker()

    def process(self, items: Iterable[Item], stopped: Callable[[], bool]) -> Iterator[Entry]:
        """An entry for each item, in order; after ``stopped`` only for those that the network had begun with.

        Raises `StoreError` if a store refuses everything or cannot be reached, with patience; nothing is recorded
        of items that were not tried, nor of those that only the store has failed.
        """
        self._stopped = stopped
        source = iter(items)
        begun: deque[Future[Entry | None]] = deque()
        ended: SimpleQueue[Future[Entry | None]] = SimpleQueue()
        in_hand = 0
        with ThreadPoolExecutor(MOST, "image") as threads:
            try:
                while True:
                    while (not stopped() and in_hand < self._pace.wanted and len(begun) < AHEAD
                           and (item := next(source, None)) is not None):
                        begun.append(threads.submit(self.do, item))
                        begun[-1].add_done_callback(ended.put)
                        in_hand += 1
                    if not in_hand:  # not `begun`, which several that end at once may have left empty by now
                        break
                    ended.get()
                    in_hand -= 1
                    while begun and begun[0].done():
                        if (entry := begun.popleft().result()) is not None:
                            yield from self._breaker.passed(entry)
                if not stopped():
                    yield from self._breaker.rest()
            finally:
                self._stopped = _always  # if this ends by an error, the others need no patience, and begin nothing

    def do(self, item: Item) -> Entry | None:
        """One image through all stages; whatever is the image's own fault is its outcome.

        None if the work was stopped before its turn at the network came, while a large image was on its way through
        it, or while a store was away.
        """
        ms: dict[str, float] = {}
        task = self._task
        try:
            with ExitStack() as memory:
                if (read := self._read(item, ms, memory)) is None:
                    return None
                picture, mark, source_bytes = read
                with self._turn(picture):
                    if self._stopped():
                        return None
                    with _timed(ms, "translate"):
                        translated = stages.translate(picture, self._engine, task.work, task.sizes, self._stopped)
                    if translated is None:
                        return None
                    picture = translated
                with _timed(ms, "encode"):
                    data = stages.encode(picture, item.format, task.work.quality, mark, self._signer)
                digest = "sha256:" + hashlib.sha256(data).hexdigest()
                metadata = stages.metadata_of(item, task.work, digest)
                with _timed(ms, "put"):
                    info = stages.put(self._output, item, data, metadata, replace_existing=task.replace_existing)
        except ItemError as error:
            return unhappy(item, "failed", error.code, error.message)
        except AccessError as error:
            return unhappy(item, "failed", "store.access", str(error))
        except UnavailableError as error:
            return None if self._stopped() else unhappy(item, "failed", "store.unavailable", str(error))
        self._pace.note(ms)
        if info is None:
            return unhappy(item, "skipped", EXISTS, f"{item.output_key!r} came into being meanwhile")
        height, width = picture.pixels.shape[:2]
        return Entry(
            key=item.key,
            output_key=item.output_key,
            source_etag=item.etag,
            outcome="ok",
            output_etag=info.etag,
            digest=digest,
            size_bytes=len(data),
            width=width,
            height=height,
            notes=picture.notes,
            ms=ms,
            source_bytes=source_bytes,
        )

    def _read(self, item: Item, ms: dict[str, float], memory: ExitStack) -> tuple[Picture, Mark, int] | None:
        """Get and decode; ``memory`` holds the picture's bytes from then on. Also the output's mark, and the size of
        the source's file, which is let go. None if the work was stopped while this waited for memory."""
        with self._files.hold(item.size_bytes):
            if self._stopped():
                return None
            with _timed(ms, "get"):
                source = stages.get(self._source, item)
            mark = stages.mark_of(source, self._task.work)
            memory.enter_context(self._pixels.hold(stages.picture_bytes(source, self._task.limits)))
            if self._stopped():
                return None
            with _timed(ms, "decode"):
                picture = stages.decode(source, self._task.limits, self._task.frames, self._task.work.exif)
        return picture, mark, len(source)

    @contextmanager
    def _turn(self, picture: Picture) -> Iterator[None]:
        """Wait for a turn at the network; large pictures, which need much memory, go one at a time."""
        height, width = stages.working_size(picture, self._task.work)
        with self._large if height * width > LARGE_PIXELS else nullcontext(), self._network:
            yield


def _always() -> bool:
    return True


@contextmanager
def _timed(ms: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    ms[stage] = round((time.perf_counter() - start) * 1000, 2)
