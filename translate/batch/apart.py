"""Images in a process of their own, one at a time: after a run died, for what may have been in hand then.

An image can kill the process that translates it (memory, a fault in a library). The local executor has no other process
that would survive, so the same image would end the run at every resume. Here the process that keeps the records only
watches; a child that dies twice over one image costs that image alone.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from multiprocessing import connection
from typing import TYPE_CHECKING

from translate.errors import LockedError, StoreError, TranslateError
from translate.records.ledger import unhappy
from translate.stores.patience import STOPPING_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from translate.batch.breaker import Breaker
    from translate.batch.worker import Task
    from translate.records.ledger import Entry
    from translate.records.manifest import Item

SUSPECTS = 800
"""So many images are done apart: more than can have been in hand, or done and not recorded (256 and a unit of 512)."""
DEATHS_OF_ONE_IMAGE = 2
"""So often a process dies over an image before it is given up."""
START_TIMEOUT_S = 300.0
"""In which a child loads the model."""
_LOOK_S = 0.2

_log = logging.getLogger(__name__)


def process_apart(
    task: Task, items: Iterator[Item], breaker: Breaker, stopped: Callable[[], bool]
) -> Iterator[Entry]:
    """The entries of the next `SUSPECTS` items, done by a child; none if no child can be started.

    Nothing new is begun once ``stopped``, and an image that takes longer than `STOPPING_S` from then on is dropped.
    ``breaker`` holds entries back as `translate.batch.worker.Worker.process` says, and is the worker's that goes on.
    Raises what ends a run.
    """
    child = _Child(task, stopped)
    try:
        if not child.start():
            return
        for _ in range(SUSPECTS):
            if stopped() or (item := next(items, None)) is None:
                return
            if (entry := child.do(item)) is None:
                return
            yield from breaker.passed(entry)
    finally:
        child.close()


class _Child:
    """A process with a worker; started again when it has died."""

    def __init__(self, task: Task, stopped: Callable[[], bool]) -> None:
        self._task, self._stopped = task, stopped
        self._pipe: connection.Connection | None = None

    def start(self) -> bool:
        """Whether there is a child that has loaded the model, soon enough. Raises what ends a run."""
        context = multiprocessing.get_context("spawn")
        try:
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(self._task, theirs), daemon=True)
            self._process.start()
            theirs.close()  # so that the pipe ends when the child does
            answer = self._receive(START_TIMEOUT_S)
        except (OSError, EOFError, AssertionError, TimeoutError) as error:
            _log.warning("no second process can be started (%s); images are translated in this one", error)
            return False
        if isinstance(answer, StoreError | LockedError):
            raise answer
        if isinstance(answer, TranslateError):
            _log.warning("a second process cannot do this work (%s); images are translated in this one", answer)
        return answer is None

    def do(self, item: Item) -> Entry | None:
        """The item's entry; None if a stop came first. Raises what ends the run."""
        for _ in range(DEATHS_OF_ONE_IMAGE):
            try:
                assert self._pipe is not None
                self._pipe.send(item)
                answer = self._receive(None)
            except TimeoutError:
                return None
            except (EOFError, OSError):
                _log.warning("a process died over %r", item.key)
                self.close()
                if self._stopped():
                    return None
                if not self.start():
                    raise TranslateError(f"a process died over {item.key!r}, and no other one can be started") from None
                continue
            if isinstance(answer, TranslateError):
                raise answer
            return answer
        words = f"{DEATHS_OF_ONE_IMAGE} processes died while this image was all that they had in hand"
        return unhappy(item, "failed", "input.poison", words)

    def _receive(self, timeout_s: float | None) -> Entry | TranslateError | None:
        """The child's answer. Raises `EOFError` or `OSError` if it died, `TimeoutError` if it took too long."""
        assert self._pipe is not None
        begun_s, stopped_s = time.monotonic(), None
        while not self._pipe.poll(_LOOK_S):
            now_s = time.monotonic()
            if self._stopped() and stopped_s is None:
                stopped_s = now_s
            late = timeout_s is not None and now_s - begun_s > timeout_s
            if late or (stopped_s is not None and now_s - stopped_s > STOPPING_S):
                raise TimeoutError("it gave no answer in time")
        answer: Entry | TranslateError | None = self._pipe.recv()
        return answer

    def close(self) -> None:
        """End the child, if there is one."""
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._pipe = None


def _serve(task: Task, pipe: connection.Connection) -> None:
    """Do items until the pipe ends; what is stopped is decided by the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
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
            try:
                answer: Entry | TranslateError | None = worker.do(item)
            except TranslateError as error:
                answer = error
            pipe.send(answer)
        except (EOFError, OSError):  # the parent is gone
            return


def _end_with_parent() -> None:
    """A child that outlived its parent could put an output after the next run has."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
