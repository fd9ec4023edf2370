"""One core and the stores around it, overlapped: what each worker of any executor runs.

Every image is done by one thread from end to end, so that getting, decoding, encoding and putting overlap with the
network. How many images are in hand follows from the stages' times (`translate.batch.pace`), and is bounded by the
memory of their pixels and files (`translate.translation.allowance`). Entries come out in the order of the items.
"""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from translate.batch.breaker import INTERNAL, Breaker
from translate.batch.pace import MOST, Pace
from translate.batch.stages import get, metadata_of, put
from translate.engines import opening
from translate.errors import AccessError, ItemError, ModelError, NotFoundError, TranslateError, UnavailableError
from translate.records import layout
from translate.records.ledger import EXISTS, Entry, unhappy
from translate.stores.patience import PatientStore, never
from translate.stores.records import read_record
from translate.translation.core import Core, Stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from translate.engines.contract import Engine
    from translate.images.picture import Frames, Limits
    from translate.models.translator import Translator
    from translate.provenance import Sizes, Work
    from translate.records.manifest import Item
    from translate.stores.contract import ObjectStore

AHEAD = 256
"""How many images may be done, or in hand, behind one that takes long; their outcomes wait for its outcome."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What a worker needs to know, on whatever machine it is; picklable."""

    source: ObjectStore
    output: ObjectStore
    model: str
    """The model, as `translate.registry.open_model` takes it."""
    registry_url: str | None
    work: Work
    limits: Limits
    frames: Frames
    sizes: Sizes
    replace_existing: bool = True
    """Whether an output that is there is replaced; else the item ends as skipped, ``output.exists``."""

    def core(self, engine: Engine) -> Core:
        """What translates pictures as this task asks. Raises `UsageError` as `Core` does."""
        return Core(engine, self.work, self.sizes, self.limits, self.frames)


def open_engine(task: Task, translator: Translator) -> Engine:
    """The model that was planned with, on the engine that was planned with, whatever else this machine has.

    Raises `ModelError` if the model is another by now, `UsageError` if this machine can't have the engine.
    """
    if translator.facts.digest != task.work.model_digest:
        raise ModelError(
            f"model {task.model!r} has digest {translator.facts.digest}, but {task.work.model_digest} was planned "
            "with: it was replaced meanwhile. Run again, or load it again"
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
        self._core = task.core(engine)
        self._pace = Pace(self._core.turns)
        self._stopped: Callable[[], bool] = never
        self._source = PatientStore(task.source, lambda: self._stopped())
        self._output = PatientStore(task.output, lambda: self._stopped())
        self.breaker = Breaker()
        """Holds back what only the store has failed, over all calls of `process`."""

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
                            yield from self.breaker.passed(entry)
                if not stopped():
                    yield from self.breaker.rest()
            finally:
                self._stopped = _always  # if this ends by an error, the others need no patience, and begin nothing

    def do(self, item: Item) -> Entry | None:
        """One image through all stages; what fails on this image alone is its outcome.

        An exception that nobody foresaw is an outcome, too (``internal.<stage>``); the other images continue.
        None if the work was stopped before the network began with it, while a large image was being translated, or
        while a store was away.
        """
        stages = Stages()
        try:
            made = self._core.make(
                lambda: get(self._source, item), item.size_bytes, item.format, lambda: self._stopped(), stages
            )
            if made is None:
                return None
            digest = made.digest
            metadata = metadata_of(item, self._task.work, digest)
            with stages.at("put"):
                info = put(self._output, item, made.data, metadata, replace_existing=self._task.replace_existing)
        except ItemError as error:
            return unhappy(item, "failed", error.code, error.message)
        except AccessError as error:
            return unhappy(item, "failed", "store.access", str(error))
        except UnavailableError as error:
            return None if self._stopped() else unhappy(item, "failed", "store.unavailable", str(error))
        except TranslateError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the other images
            _log.exception("%r failed in the stage %r", item.key, stages.now)
            return unhappy(item, "failed", f"{INTERNAL}{stages.now}", f"{type(error).__name__}: {error}")
        self._pace.note(stages.ms)
        if info is None:
            return unhappy(item, "skipped", EXISTS, f"{item.output_key!r} came into being meanwhile")
        return Entry(
            key=item.key,
            output_key=item.output_key,
            source_etag=item.etag,
            outcome="ok",
            output_etag=info.etag,
            digest=digest,
            size_bytes=len(made.data),
            width=made.width,
            height=made.height,
            notes=made.notes,
            ms=stages.ms,
            source_bytes=made.source_bytes,
        )


def _always() -> bool:
    return True
