"""Fixtures of the tests that call the command line."""

from __future__ import annotations

import signal
import sys

import pytest

from translate.cli.app import main


@pytest.fixture
def command(monkeypatch, capsys):
    """Call the command line in this process: ``command("status", url)`` gives (exit code, stdout, stderr)."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["translate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    yield call
    signal.signal(signal.SIGTERM, handler)
