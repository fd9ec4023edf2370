"""What the library logs while it works (a store that is asked again, a worker that died), as lines on stderr.

Everywhere in ``translate`` and ``pipelines``: ``logging.getLogger(__name__).warning("words %s", value)``. Warnings
and worse are shown; one message that comes again and again is shown every `QUIET_S` seconds, with its count.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from translate.cli import console
from translate.cli._secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS = ("translate", "pipelines")
QUIET_S = 10.0


@contextmanager
def shown(*, as_json: bool) -> Iterator[None]:
    """Show what is logged until the block ends."""
    handler = _Lines(as_json=as_json)
    loggers = [logging.getLogger(name) for name in ROOTS]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()


class _Lines(logging.Handler):
    """Writes a record as a line; `close` tells how many were left out since."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(logging.WARNING)
        self._as_json = as_json
        self._shown_s: dict[object, float] = {}
        """When each message was last shown, before its values are filled in."""
        self._left_out: dict[object, tuple[logging.LogRecord, int]] = {}
        """Since then: the last one, and how many."""

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or count it if its like was shown just now."""
        if time.monotonic() - self._shown_s.get(record.msg, -QUIET_S) < QUIET_S:
            _, count = self._left_out.get(record.msg, (record, 0))
            self._left_out[record.msg] = record, count + 1
        else:
            _, count = self._left_out.pop(record.msg, (record, 0))
            self._show(record, count)

    def close(self) -> None:
        """Tell what was left out last."""
        for record, count in self._left_out.values():
            self._show(record, count - 1)
        self._left_out.clear()
        super().close()

    def _show(self, record: logging.LogRecord, more: int) -> None:
        self._shown_s[record.msg] = time.monotonic()
        message = redact(record.getMessage())
        if self._as_json:
            line = {"level": record.levelname.lower(), "logger": record.name, "message": message, "more": more}
            console.remark(console.json_line("log", line))
        else:
            console.remark(f"{record.levelname.lower()}: {message}{f' ({more} more like it)' if more else ''}")
