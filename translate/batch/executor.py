"""Executors do the units of a run: their contract, the executor of one machine, and how others are found.

Another executor is a class named by an entry point of the group ``translate.executors``; it is built with the
`Workers` asked for, and says by ``engine_name(device)`` what they compute with.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, cast

from translate import lookup
from translate.batch.apart import process_apart
from translate.batch.workers import Workers
from translate.errors import TranslateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from translate.batch.worker import Task
    from translate.engines.contract import Engine
    from translate.engines.torch import Device
    from translate.records.ledger import Entry
    from translate.records.manifest import Item, Unit

GROUP = "translate.executors"
AUTO_RAY_IMAGES = 200
"""From so many images on ``auto`` takes Ray; for fewer, starting Ray costs more than it brings."""

Finished = tuple["Unit", list["Entry"]]


class Executor(Protocol):
    """Does units of work."""

    @property
    def name(self) -> str:
        """Public name."""
        ...

    @property
    def workers(self) -> int:
        """How many workers there are; after a run the most that there were at once."""
        ...

    def run(
        self,
        task: Task,
        units: Iterable[Unit],
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Generator[Finished, None, None]:
        """Yield every unit with one entry for each of its items, in any order.

        ``report`` hears of each entry at once, in the calling thread; ``say`` of workers that are awaited, again
        and again while it is so, and an empty text when it is over. After ``stopped``, or when a store cannot
        be reached, the units in hand come out with the entries they have (maybe fewer than items); then it
        returns, or raises the `StoreError`.
        """
        ...


class LocalExecutor:
    """Threads around one model, in this process."""

    name = "local"
    workers = 1

    def __init__(self, engine: Engine, *, after_death: bool = False) -> None:
        """``after_death``: the run's process died before, maybe over one of the images that it had in hand."""
        self._engine, self._after_death = engine, after_death

    def run(
        self,
        task: Task,
        units: Iterable[Unit],
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],  # noqa: ARG002 - there is nobody to wait for
    ) -> Generator[Finished, None, None]:
        """Do the units as `Executor.run` says; they finish in order."""
        from translate.batch.worker import Worker

        in_hand: dict[int, Finished] = {}
        unit_of: dict[str, int] = {}

        def items() -> Iterator[Item]:
            for unit in units:
                in_hand[unit.number] = (unit, [])
                unit_of.update((item.key, unit.number) for item in unit.items)
                yield from unit.items

        source, worker = items(), Worker(task, self._engine)
        entries_to_come = worker.process(source, stopped)
        in_memory = any(store.url.startswith("memory:") for store in (task.source, task.output))
        if self._after_death and not in_memory:  # another process has other memory
            entries_to_come = chain(process_apart(task, source, worker.breaker, stopped), entries_to_come)
        try:
            for entry in entries_to_come:
                report(entry)
                number = unit_of.pop(entry.key)
                unit, entries = in_hand[number]
                entries.append(entry)
                if len(entries) == len(unit.items):
                    yield in_hand.pop(number)
        except TranslateError:
            yield from begun(in_hand.values())
            raise
        yield from begun(in_hand.values())


def begun(in_hand: Iterable[Finished]) -> list[Finished]:
    """Those units of which something was done."""
    return [(unit, entries) for unit, entries in in_hand if entries]


def open_executor(
    name: str, workers: Workers | int | None, images: int, engine: Engine, *, after_death: bool = False
) -> Executor:
    """The executor of a name, with bounds or a fixed number of workers; ``after_death`` as `LocalExecutor` says.

    ``auto`` is ``ray`` for several workers or GPUs for them, and, where the engine is no GPU here, for
    `AUTO_RAY_IMAGES`, if it is installed. Raises `UsageError` if it is not, or for ``workers`` that it cannot have.
    """
    asked = workers if isinstance(workers, Workers) else Workers(workers, workers)
    if name == "auto":
        many = asked.are_several or (images >= AUTO_RAY_IMAGES and engine.device == "cpu")
        name = "ray" if many and importlib.util.find_spec("ray") else "local"
    if name == "local":
        _refuse_several(asked)
        return LocalExecutor(engine, after_death=after_death)
    return cast("Executor", _load(name)(asked))


def engine_of_workers(name: str, workers: Workers, device: Device) -> tuple[Device, str | None]:
    """Device to plan with here, and the name of the engine of workers elsewhere if theirs is to be planned with.

    What is planned must be what the workers compute with. Workers with GPUs are asked; others on Ray have no CUDA,
    whatever this machine has. Raises `UsageError` if they cannot have the device, or be so many.
    """
    if workers.gpus_each > 0:
        if name == "local":
            raise UsageError("--gpus-per-worker is for workers on Ray; the local executor takes the GPU that is here")
        return device, _load("ray" if name == "auto" else name)(workers).engine_name(device)
    if name == "local":
        _refuse_several(workers)
    if name in ("auto", "local") and not workers.are_several:
        return device, None
    if device == "cuda":
        raise UsageError("workers on Ray have a GPU only if they ask for one: add --gpus-per-worker 1")
    import torch

    return ("cpu" if device == "auto" and torch.cuda.is_available() else device), None


def _refuse_several(workers: Workers) -> None:
    if workers.least not in (None, 1):
        raise UsageError(f"the local executor has one worker, not {workers.least}; several need Ray: --executor ray")


def _load(name: str) -> Any:  # noqa: ANN401 - a class that this package cannot know
    """The class of an executor that an entry point names."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise lookup.unknown("executor", name, ["auto", "local", *found])
    try:
        return found[name].load()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the executor {name!r} needs {error.name!r}, which is not installed; "
            f"pip install 'translate-images[{name}]'"
        ) from error
