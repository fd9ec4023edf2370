"""Images in a process of their own, one at a time: after a run died, for what may have been in hand then.

An image can kill the process that translates it (memory, a fault in a library). The local executor has no other process
that would survive, so the same image would end the run at every resume. Here the process that keeps the records only
watches; a child that dies twice over one image costs that image alone.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
from typing import TYPE_CHECKING

from translate.errors import TranslateError
from translate.records.ledger import unhappy
from translate.stores.patience import never

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from multiprocessing.connection import Connection

    from translate.batch.executor import Finished
    from translate.batch.worker import Task
    from translate.records.ledger import Entry
    from translate.records.manifest import Item, Unit

DEATHS_OF_ONE_IMAGE = 2
"""After so many deaths of a process over one image, the image fails."""
START_TIMEOUT_S = 300.0
"""Time that a child process has to load the model."""

_log = logging.getLogger(__name__)


def process_apart(
    task: Task, units: Iterable[Unit], at_least: int, report: Callable[[Entry], None], stopped: Callable[[], bool]
) -> Generator[Finished, None, Iterator[Unit]]:
    """Yield the first units, of ``at_least`` so many images, done by a child; returns the units that are left.

    After ``stopped`` the unit in hand comes out with the entries that it has. Raises what ends a run, as
    `translate.batch.worker.Worker.process` does. If no child can be started, all units are left.
    """
    rest = iter(units)
    child = _Child(task)
    try:
        if not child.is_ready():
            _log.warning("no second process can be started; images are translated in this one")
            return rest
        done = 0
        while done < at_least and not stopped() and (unit := next(rest, None)) is not None:
            entries: list[Entry] = []
            try:
                for item in unit.items:
                    if stopped():
                        break
                    for entry in child.do(item):
                        entries.append(entry)
                        report(entry)
            except TranslateError:
                if entries:
                    yield unit, entries
                raise
            done += len(unit.items)
            if entries:
                yield unit, entries
        return rest
    finally:
        child.close()


class _Child:
    """A process with a worker; started again when it has died."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._task, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends when the child does

    def is_ready(self) -> bool:
        """Whether the child has loaded the model. Raises what kept it from that, if that is an error of ours."""
        try:
            if not self._pipe.poll(START_TIMEOUT_S):
                return False
            answer = self._pipe.recv()
        except (EOFError, OSError):
            return False
        if isinstance(answer, TranslateError):
            raise answer
        return True

    def do(self, item: Item) -> list[Entry]:
        """The item's entry, none if a stop came first. Raises what ends the run."""
        for _ in range(DEATHS_OF_ONE_IMAGE):
            try:
                self._pipe.send(item)
                answer: list[Entry] | TranslateError = self._pipe.recv()
            except (EOFError, OSError):
                _log.warning("a process died over %r", item.key)
                self.close()
                self._start()
                if not self.is_ready():
                    raise TranslateError(f"a process died over {item.key!r}, and no other one can be started") from None
                continue
            if isinstance(answer, TranslateError):
                raise answer
            return answer
        words = f"{DEATHS_OF_ONE_IMAGE} processes died while this image was all that they had in hand"
        return [unhappy(item, "failed", "input.poison", words)]

    def close(self) -> None:
        """End the child."""
        self._pipe.close()
        self._process.kill()
        self._process.join()


def _serve(task: Task, pipe: Connection) -> None:
    """Do items until the pipe ends; what is stopped is decided by the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    from translate.batch.worker import Worker, open_engine
    from translate.registry import open_model

    try:
        worker = Worker(task, open_engine(task, open_model(task.model, task.registry_url)))
    except TranslateError as error:
        pipe.send(error)
        return
    pipe.send(None)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(list(worker.process([item], never)))
        except TranslateError as error:
            pipe.send(error)
