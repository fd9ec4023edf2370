"""A program that runs beside a test, whose output is read while it goes on."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Running:
    """A process; its output goes to files, so that reading a part of it loses nothing and blocks nobody."""

    def __init__(self, command: Sequence[object], folder: Path, name: str, **options: object) -> None:
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                             stderr=err, **options)

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def wait_for(self, text: str, patience_s: float = 600) -> str:
        """Wait until a whole line, of either stream, holds a text, and return it."""
        until_s = time.monotonic() + patience_s
        while True:
            over = self._process.poll() is not None or time.monotonic() > until_s
            for line in (self.out + self.err).splitlines(keepends=True):
                if text in line and line.endswith("\n"):
                    return line
            assert not over, f"no {text!r} in:\n{self.out}\n{self.err}"
            time.sleep(0.1)

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, number: int | None = None, patience_s: float = 900) -> tuple[int, str, str]:
        """Send a signal, if one is given, and wait; gives (exit code, stdout, stderr)."""
        if number is not None:
            self.send(number)
        return self._process.wait(patience_s), self.out, self.err

    def kill(self) -> None:
        """End it for certain."""
        self._process.kill()
        self._process.wait()
