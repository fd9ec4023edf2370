"""Batch translation on Ray: a pool of actors, each with one model and the same stages as on one machine.

The driver hands out units of work and hears of entries as they come; it never touches a pixel. Counting and
retrying are ours, not Ray's: an actor that dies costs no entry that it had reported, and the rest of its
unit is cut in halves until the image that kills its worker stands alone.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from pipelines.cluster import connect, in_one_line, refuse_memory
from translate.batch.executor import begun
from translate.batch.ledger import unhappy
from translate.batch.worker import Worker, open_engine
from translate.errors import StoreError, TranslateError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from translate.batch.executor import Finished
    from translate.batch.ledger import Entry
    from translate.batch.manifest import Item, Unit
    from translate.batch.worker import Task

CPUS_PER_WORKER = 2
"""A model of its own for every so many processors, where the number of workers is not given."""
DEATHS_OF_ONE_IMAGE = 3
"""A single image that so many workers died over is set aside as ``input.poison``."""
DEATHS_WHILE_LOADING = 3
"""So many workers in a row that die before they have a model end the job."""
WAIT_S = 0.5
SLOW_START_S = 15.0
"""Workers that are not ready after this are worth an explanation."""


class RayExecutor:
    """Does units in a pool of Ray actors, at ``RAY_ADDRESS`` or in a Ray of its own on this machine."""

    name = "ray"

    def __init__(self, workers: int | None = None) -> None:
        connect()
        nodes = [node["Resources"].get("CPU", 0.0) for node in cast("Any", ray).nodes() if node["Alive"]]
        self._workers, self._cpus = share_out(nodes, workers)

    @property
    def workers(self) -> int:
        """Actors in the pool."""
        return self._workers

    def run(
        self,
        task: Task,
        units: Iterable[Unit],
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Generator[Finished, None, None]:
        """As `translate.batch.executor.Executor` says; units finish in any order."""
        refuse_memory((task.source, task.output), instead="use --executor local")
        pool = _Pool(task, self._workers, self._cpus)
        try:
            yield from _Dispatch(units, pool, report, stopped, say).run()
        finally:
            pool.close()


def share_out(node_cpus: Sequence[float], workers: int | None) -> tuple[int, float]:
    """Number of workers, and processors for each, in a cluster of nodes with so many processors.

    A worker gets no more than the largest node has, else Ray would wait for ever for a place. Without any
    processor yet (an autoscaler may bring some) a worker asks for all that it would like to have.
    """
    most = min(float(CPUS_PER_WORKER), max(node_cpus, default=0.0)) or float(CPUS_PER_WORKER)
    count = workers or max(1, sum(int(cpus // most) for cpus in node_cpus))
    each = min(most, sum(node_cpus) / count or most)
    return count, float(int(each)) if each >= 1 else each


class _Actor:
    """One model and the stages, in a process of its own. Runs two calls at a time, so that it can be
    stopped."""

    def __init__(self, task: Task, cores: int) -> None:
        self._task = task
        self._cores = cores
        self._stopped = threading.Event()

    def load(self) -> None:
        """Load the model; not in ``__init__``, so that its errors arrive as they are."""
        self._worker = Worker(self._task, open_engine(self._task), self._cores)

    def process(self, items: tuple[Item, ...]) -> Iterator[Entry]:
        """The entries of some items, each as soon as it is there."""
        yield from self._worker.process(items, self._stopped.is_set)

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopped.set()


class _Pool:
    """The actors; a dead one is replaced."""

    def __init__(self, task: Task, workers: int, cpus: float) -> None:
        self._task, self.cpus = task, cpus
        self._actor_class = cast("Any", ray.remote)(num_cpus=cpus, max_restarts=0, max_concurrency=2)(_Actor)
        self.actors = [self._start() for _ in range(workers)]

    def _start(self) -> Any:  # noqa: ANN401 - Ray's handles have no type
        return self._actor_class.remote(self._task, max(1, int(self.cpus)))

    def replace(self, dead: Any) -> Any:  # noqa: ANN401
        """A new actor in the place of a dead one; one that only cannot be reached is ended, for its place."""
        ray.kill(dead)
        self.actors.remove(dead)
        self.actors.append(self._start())
        return self.actors[-1]

    def stop(self) -> None:
        """Ask all to begin nothing new."""
        for actor in self.actors:
            actor.stop.remote()

    def close(self) -> None:
        """End all."""
        for actor in self.actors:
            ray.kill(actor)


@dataclass
class _Attempt:
    """Items of one unit, handed to one actor."""

    unit: int
    items: tuple[Item, ...]
    deaths: int = 0
    """Of actors over a single item."""


@dataclass
class _Call:
    """What an actor is doing; without an attempt it loads its model."""

    actor: Any
    attempt: _Attempt | None = None
    done: set[str] = field(default_factory=set)
    """Keys that it has reported."""


class _Dispatch:
    """Hands out units until all are finished, whatever dies on the way."""

    def __init__(
        self,
        units: Iterable[Unit],
        pool: _Pool,
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._units = iter(units)
        self._pool, self._report, self._stopped, self._say = pool, report, stopped, say
        self._again: deque[_Attempt] = deque()
        self._in_hand: dict[int, Finished] = {}
        self._calls: dict[Any, _Call] = {actor.load.remote(): _Call(actor) for actor in pool.actors}
        self._deaths_while_loading = 0
        self._nobody_new_since_s = time.monotonic()

    def run(self) -> Generator[Finished, None, None]:
        """As the contract of executors says."""
        told = False
        try:
            while self._calls:
                if self._stopped() and not told:
                    self._pool.stop()
                    told = True
                self._tell_who_is_missing()
                ready, _ = ray.wait(list(self._calls), num_returns=1, timeout=WAIT_S)
                for waited in ready:
                    number = self._step(waited)
                    if number is not None and len(self._in_hand[number][1]) == len(self._in_hand[number][0].items):
                        yield self._in_hand.pop(number)
                if self._stopped() and all(call.attempt is None for call in self._calls.values()):
                    break
                if not self._in_hand and all(call.attempt is None for call in self._calls.values()):
                    # The rest of the pool may still be loading, or wait for a place, with nothing left to do.
                    if (attempt := self._next()) is None:
                        break
                    self._again.appendleft(attempt)
        except StoreError:
            yield from begun(self._in_hand.values())
            raise
        yield from begun(self._in_hand.values())

    def _tell_who_is_missing(self) -> None:
        """Say, as long as it is so, that workers are not ready, and after a while why that may be."""
        missing = sum(call.attempt is None for call in self._calls.values())
        if not missing:
            return
        words = f"{missing} of {len(self._pool.actors)} workers starting"
        if time.monotonic() - self._nobody_new_since_s > SLOW_START_S:
            api = cast("Any", ray)
            free, has = (each.get("CPU", 0.0) for each in (api.available_resources(), api.cluster_resources()))
            words += (
                f"; each needs {self._pool.cpus:g} processors and memory for a model, "
                f"{free:g} of Ray's {has:g} processors are free"
            )
        self._say(words)

    def _step(self, waited: Any) -> int | None:  # noqa: ANN401
        """Take what a call has to say; returns the unit that an entry came for."""
        call = self._calls[waited]
        try:
            if call.attempt is None:
                ray.get(waited)
                self._deaths_while_loading = 0
                self._nobody_new_since_s = time.monotonic()
                self._idle(waited)
                self._say("")
                return None
            entry = cast("Entry", ray.get(next(waited)))
        except StopIteration:
            self._idle(waited)
            return None
        except (RayActorError, OutOfMemoryError) as error:
            return self._died(waited, in_one_line(error))
        except RayTaskError as error:
            raise _ours(error) from error
        except RayError as error:
            raise TranslateError(f"Ray lost a worker's answer; run again to go on: {in_one_line(error)}") from error
        call.done.add(entry.key)
        return self._record(call.attempt.unit, entry)

    def _record(self, unit: int, entry: Entry) -> int:
        self._in_hand[unit][1].append(entry)
        self._report(entry)
        return unit

    def _idle(self, waited: Any) -> None:  # noqa: ANN401
        """An actor has nothing to do: give it the next attempt, if there is one."""
        actor = self._calls.pop(waited).actor
        self._give(actor)

    def _give(self, actor: Any) -> None:  # noqa: ANN401
        if (attempt := self._next()) is not None:
            stream = actor.process.options(num_returns="streaming").remote(attempt.items)
            self._calls[stream] = _Call(actor, attempt)

    def _next(self) -> _Attempt | None:
        if self._stopped():
            return None
        if self._again:
            return self._again.popleft()
        unit = next(self._units, None)
        if unit is None:
            return None
        self._in_hand[unit.number] = (unit, [])
        return _Attempt(unit.number, unit.items)

    def _died(self, waited: Any, reason: str) -> int | None:  # noqa: ANN401
        """An actor is gone: what it had not reported goes back, in halves; a single item in the end is set
        aside."""
        call = self._calls.pop(waited)
        actor = self._pool.replace(call.actor)
        self._calls[actor.load.remote()] = _Call(actor)
        if call.attempt is None:
            self._deaths_while_loading += 1
            if self._deaths_while_loading >= DEATHS_WHILE_LOADING:
                raise TranslateError(
                    f"{DEATHS_WHILE_LOADING} workers in a row died before they had a model: {reason}. Is there memory "
                    f"for {len(self._pool.actors)} workers, and is this program installed on every node?"
                )
            return None
        attempt = call.attempt
        rest = tuple(item for item in attempt.items if item.key not in call.done)
        if len(rest) == 1:
            deaths = attempt.deaths + 1 if len(attempt.items) == 1 else 1
            if deaths >= DEATHS_OF_ONE_IMAGE:
                return self._record(
                    attempt.unit,
                    unhappy(rest[0], "failed", "input.poison", f"{deaths} workers died over this image"),
                )
            self._again.append(_Attempt(attempt.unit, rest, deaths))
        elif rest:
            middle = len(rest) // 2
            self._again.extend(_Attempt(attempt.unit, half) for half in (rest[:middle], rest[middle:]))
        return None


def _ours(error: RayTaskError) -> BaseException:
    """The exception that a worker raised, as it was raised there."""
    return error.cause if isinstance(error.cause, BaseException) else error
