"""Patience with a store that is busy or away, for work that lasts hours: any `ObjectStore`, asked again and again.

A client's own tries are over within a minute. Behind them every request is repeated here for some minutes, after
pauses that grow and are drawn by chance ("full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter),
and while the store is unwell fewer requests are made at once, by all threads together. Commands that only look do not
wait: whoever has patience wraps the store.
"""

from __future__ import annotations

import logging
import math
import random
import secrets
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from translate.errors import BusyError, TranslateError, UnavailableError
from translate.progress import duration
from translate.stores.contract import WRITE_TOKEN, PutMode
from translate.stores.wrapped import WrappedStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from translate.stores.contract import IfUnchanged, ObjectInfo, ObjectStore

T = TypeVar("T")

PATIENCE_S = 300.0
"""A request that has failed for so long has failed."""
STOPPING_S = 10.0
"""The same once the work is to stop: whoever stops it waits beside it."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 20.0
_LOOK_S = 0.2
"""How often a pause looks whether the work is to stop."""
_log = logging.getLogger(__name__)


def never() -> bool:
    """For work that nobody stops."""
    return False


def bare(store: ObjectStore) -> ObjectStore:
    """A store without anybody's patience."""
    return store.bare if isinstance(store, PatientStore) else store


class PatientStore(WrappedStore):
    """Another store, whose `UnavailableError` comes only after `PATIENCE_S` of trying.

    Pickled it is the bare store: how many requests are made at once is each process's own affair.
    """

    def __init__(self, store: ObjectStore, stopped: Callable[[], bool] = never, *, known: bool = True) -> None:
        """Once ``stopped``, patience is short. A store that is not ``known`` to be there has to answer first, if only
        that it is busy: somebody may have mistyped its name."""
        super().__init__(bare(store))
        self._stopped = stopped
        self._known = known
        self._gate = Gate()

    def __reduce__(self) -> tuple[Callable[[ObjectStore], ObjectStore], tuple[ObjectStore]]:
        return bare, (self.bare,)

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says; a listing that breaks off is resumed where it broke."""
        trouble = _Trouble()
        while True:
            last = start_after
            try:
                for info in self.bare.list(prefix, start_after=start_after):
                    yield info
                    last = info.key
            except UnavailableError as error:
                if last != start_after:
                    self._known, trouble, start_after = True, _Trouble(), last
                self._bear(error, trouble)
            else:
                self._known = True
                return

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """As the contract says; all tries are one put, by its `WRITE_TOKEN`."""
        said = {WRITE_TOKEN: secrets.token_hex(16), **(metadata or {})}
        return super().put(key, data, mode=mode, content_type=content_type, metadata=said)

    def _ask(self, request: Callable[[], T]) -> T:
        trouble = _Trouble()
        while True:
            try:
                with self._gate.passage(self._stopped):
                    trouble.begin()
                    answer = request()
            except UnavailableError as error:
                self._bear(error, trouble)
            except TranslateError:
                self._known = True
                raise
            else:
                self._known = True
                return answer

    def _bear(self, error: UnavailableError, trouble: _Trouble) -> None:
        """Wait before the next try; raise the error if there is to be none."""
        self._known = self._known or isinstance(error, BusyError)
        if not self._known:
            raise error
        trouble.tries += 1
        self._refuse_if_over(error, trouble)
        state = "is busy" if isinstance(error, BusyError) else "does not answer"
        _log.warning("%s %s; it is asked again for up to %.0f minutes", self.url, state, PATIENCE_S / 60)
        _log.debug("tried for %s: %s", duration(trouble.seconds), error)
        until_s = time.monotonic() + random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**trouble.tries))  # noqa: S311
        while (left_s := until_s - time.monotonic()) > 0 and not self._is_over(trouble):
            time.sleep(min(_LOOK_S, left_s))
        self._refuse_if_over(error, trouble)

    def _is_over(self, trouble: _Trouble) -> bool:
        return trouble.seconds > (STOPPING_S if self._stopped() else PATIENCE_S)

    def _refuse_if_over(self, error: UnavailableError, trouble: _Trouble) -> None:
        if self._is_over(trouble):
            raise type(error)(f"{error} (tried for {duration(trouble.seconds)})") from error


class Gate:
    """How many requests are under way at once: half as many after one that failed, one more after each round that
    did not (additive increase, multiplicative decrease; Chiu and Jain 1989)."""

    def __init__(self) -> None:
        self.most = math.inf
        """Requests at once; no bound as long as all is well."""
        self._under_way = 0
        self._widest = 1
        """As many as there ever were at once: a bound above it is none."""
        self._narrowed_s = -math.inf
        self._changed = threading.Condition()

    @contextmanager
    def passage(self, stopped: Callable[[], bool] = never) -> Iterator[None]:
        """For one request: wait until it may be made, and take note of how it ends. Nobody waits once ``stopped``."""
        with self._changed:
            while self._under_way >= self.most and not stopped():
                self._changed.wait(_LOOK_S)
            self._under_way += 1
            self._widest = max(self._widest, self._under_way)
        begun_s = time.monotonic()
        failed = False
        try:
            yield
        except UnavailableError:
            failed = True
            raise
        finally:
            with self._changed:
                self._narrow(begun_s) if failed else self._widen()
                self._under_way -= 1
                self._changed.notify_all()

    def _narrow(self, begun_s: float) -> None:
        """Once a round: those that were under way together fail together."""
        if begun_s > self._narrowed_s:
            self.most = float(max(1, self._under_way // 2))
            self._narrowed_s = time.monotonic()

    def _widen(self) -> None:
        self.most += 1 / self.most
        if self.most > self._widest:
            self.most = math.inf


class _Trouble:
    """The failures of one request so far."""

    def __init__(self) -> None:
        self.tries = 0
        self.begin()

    def begin(self) -> None:
        """The request is made now; what it waited for before its first try was no trouble of its own."""
        if not self.tries:
            self._began_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the first try was made."""
        return time.monotonic() - self._began_s
