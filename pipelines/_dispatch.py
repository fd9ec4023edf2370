"""Handing out units of work to the pool until all are finished, whatever dies on the way.

Counting and retrying are ours, not Ray's: a worker that dies costs no entry that it had reported, and the rest of its
unit is cut in halves until the image that kills its worker stands alone.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError, RuntimeEnvSetupError

from pipelines.cluster import in_one_line, is_lost, ours
from translate.batch.executor import begun
from translate.errors import TranslateError, UsageError
from translate.records.ledger import unhappy

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from pipelines._pool import Member, Pool
    from translate.batch.executor import Finished
    from translate.records.ledger import Entry
    from translate.records.manifest import Item, Unit

_log = logging.getLogger(__name__)

DEATHS_OF_ONE_IMAGE = 3
"""An image that so many workers in a row died over, each with nothing else in hand, is set aside as
``input.poison``."""
SPARED_DEATHS = 3
"""So many deaths of an image's workers have another cause first: a lost node, a lack of memory that fewer workers
may cure."""
DEATHS_WHILE_LOADING = 3
"""So many workers in a row that die before they have a model end the job."""
INSTALLED = "Is everything that this program needs installed on every node?"
WAIT_S = 0.5
SLOW_START_S = 15.0
"""Workers that are not ready after this are worth an explanation."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Items of one unit, to be handed to one worker."""

    unit: int
    items: tuple[Item, ...]
    deaths: int = 0
    """How many workers died that had only this one item."""
    spared: int = 0
    """Such deaths that were not counted."""


@dataclass
class _Call:
    """What a worker was asked; without an attempt it is to arrive, or to load its model."""

    member: Member
    attempt: _Attempt | None = None
    done: set[str] = field(default_factory=set)
    """Keys that it has reported."""


class Dispatch:
    """One run of the executor; see `translate.batch.executor.Executor.run`."""

    def __init__(
        self,
        units: Iterable[Unit],
        pool: Pool,
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._units = iter(units)
        self._pool, self._report, self._stopped, self._say = pool, report, stopped, say
        self._again: deque[_Attempt] = deque()
        self._in_hand: dict[int, Finished] = {}
        self._calls: dict[Any, _Call] = {pool.arrive(member): _Call(member) for member in pool.members}
        self._deaths_while_loading = 0
        self._nobody_new_since_s = time.monotonic()
        self._said = False

    def run(self) -> Generator[Finished, None, None]:
        """As the contract of executors says."""
        told = False
        try:
            while True:
                more = not self._stopped() and self._there_is_more()
                if not more and all(call.attempt is None for call in self._calls.values()):
                    break  # the rest of the pool may still be loading, or wait for a place, with nothing left to do
                if self._stopped() and not told:
                    self._pool.stop()
                    told = True
                self._adjust(more=more)
                self._tell_who_is_missing()
                ready: list[Any] = []
                if self._calls:
                    ready, _ = ray.wait(list(self._calls), num_returns=1, timeout=WAIT_S)
                else:
                    time.sleep(WAIT_S)  # all have died; others are started as `Pool.adjust` looks again
                for waited in ready:
                    number = self._step(waited)
                    if number is not None and len(self._in_hand[number][1]) == len(self._in_hand[number][0].items):
                        yield self._in_hand.pop(number)
                self._hand_out()
        except TranslateError:
            yield from begun(self._in_hand.values())
            raise
        yield from begun(self._in_hand.values())

    def _adjust(self, *, more: bool) -> None:
        """Let the pool grow or shrink, and ask those that are new to arrive."""
        started, retired = self._pool.adjust(more=more)
        self._calls = {waited: call for waited, call in self._calls.items() if call.member not in retired}
        self._calls |= {self._pool.arrive(member): _Call(member) for member in started}

    def _tell_who_is_missing(self) -> None:
        """Say, as long as it is so, that workers are not ready, and after a while why that may be."""
        missing = sum(member.state in ("waiting", "loading") for member in self._pool.members)
        if not missing:
            if self._said:
                self._say("")
            self._said = False
            return
        self._said = True
        words = f"{missing} of {len(self._pool.members)} workers starting"
        if time.monotonic() - self._nobody_new_since_s > SLOW_START_S:
            api = cast("Any", ray)
            free, has = (each.get("CPU", 0.0) for each in (api.available_resources(), api.cluster_resources()))
            words += f"; each needs {self._pool.share}, {free:g} of Ray's {has:g} processors are free"
        self._say(words)

    def _step(self, waited: Any) -> int | None:  # noqa: ANN401 - Ray's references have no type
        """Take what a call has to say; returns the unit that an entry came for."""
        call = self._calls[waited]
        try:
            if call.attempt is None:
                self._come_nearer(waited, ray.get(waited))
                return None
            entry = cast("Entry", ray.get(next(waited)))
        except StopIteration:
            del self._calls[waited]
            call.member.state = "idle"
            return None
        except (RayActorError, OutOfMemoryError) as error:
            return self._died(waited, error)
        except RayTaskError as error:
            raised = ours(error)
            if call.attempt is None and not isinstance(raised, TranslateError):
                raise TranslateError(f"a worker could not start: {in_one_line(error)}. {INSTALLED}") from error
            raise raised from error
        except RuntimeEnvSetupError as error:
            raise UsageError(
                f"Ray could not bring this program to a node: {in_one_line(error)}. See that the cluster's machines "
                "have ray[default], and space for it"
            ) from error
        except RayError as error:
            raise TranslateError(f"Ray lost a worker's answer; run again to resume: {in_one_line(error)}") from error
        call.done.add(entry.key)
        return self._record(call.attempt.unit, entry)

    def _come_nearer(self, waited: Any, answer: Any) -> None:  # noqa: ANN401
        """A worker has arrived, and loads its model next; or it has loaded it."""
        call = self._calls.pop(waited)
        self._nobody_new_since_s = time.monotonic()
        if call.member.state == "waiting":
            self._calls[self._pool.load(call.member, answer)] = call
        else:
            self._deaths_while_loading = 0
            call.member.state = "idle"

    def _record(self, unit: int, entry: Entry) -> int:
        self._in_hand[unit][1].append(entry)
        self._report(entry)
        return unit

    def _hand_out(self) -> None:
        """Give work to those that have none."""
        for member in self._pool.members:
            if member.state != "idle":
                continue
            if self._stopped() or self._pool.is_too_large or not self._there_is_more():
                return
            attempt = self._again.popleft()
            self._calls[self._pool.process(member, attempt.items)] = _Call(member, attempt)

    def _there_is_more(self) -> bool:
        """Whether there is work that nobody has; takes the next unit up, so that this can be said."""
        if not self._again and (unit := next(self._units, None)) is not None:
            self._in_hand[unit.number] = (unit, [])
            self._again.append(_Attempt(unit.number, unit.items))
        return bool(self._again)

    def _died(self, waited: Any, error: RayActorError | OutOfMemoryError) -> int | None:  # noqa: ANN401
        """A worker is gone: what it had not reported goes back, in halves; a single item in the end is set aside."""
        call = self._calls.pop(waited)
        for_memory = isinstance(error, OutOfMemoryError)
        elsewhere = isinstance(error, RayActorError) and (error.preempted or self._has_lost_its_node(call.member))
        spared = elsewhere or (for_memory and self._pool.fewer())
        self._pool.remove(call.member)
        _log.warning("a worker died, and its images go to another: %s", in_one_line(error))
        if call.attempt is None:
            self._count_death_while_loading(in_one_line(error), spared=spared)
            return None
        attempt = call.attempt
        rest = tuple(item for item in attempt.items if item.key not in call.done)
        if len(attempt.items) > 1 or not rest:
            middle = (len(rest) + 1) // 2
            self._again.extend(_Attempt(attempt.unit, half) for half in (rest[:middle], rest[middle:]) if half)
        elif spared and attempt.spared < SPARED_DEATHS:
            self._again.append(replace(attempt, spared=attempt.spared + 1))
        elif attempt.deaths + 1 < DEATHS_OF_ONE_IMAGE:
            self._again.append(replace(attempt, deaths=attempt.deaths + 1))
        else:
            return self._set_aside(attempt, " for lack of memory" if for_memory else "")
        return None

    def _set_aside(self, attempt: _Attempt, why: str) -> int:
        """An image's workers die whatever happens: it is the image."""
        if why:
            self._pool.as_asked()
        words = f"{DEATHS_OF_ONE_IMAGE} workers in a row died over this image{why}, with nothing else in hand"
        return self._record(attempt.unit, unhappy(attempt.items[0], "failed", "input.poison", words))

    @staticmethod
    def _has_lost_its_node(member: Member) -> bool:
        return bool(member.node) and is_lost(member.node)

    def _count_death_while_loading(self, reason: str, *, spared: bool) -> None:
        """Raise `TranslateError` after too many in a row."""
        self._deaths_while_loading += not spared
        if self._deaths_while_loading >= DEATHS_WHILE_LOADING:
            raise TranslateError(
                f"{DEATHS_WHILE_LOADING} workers in a row died before they had a model: {reason}. Have the nodes "
                f"{self._pool.share} for each? {INSTALLED}"
            )
