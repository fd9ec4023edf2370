"""Fixtures of several tests: the command line, and a model to call it with."""

from __future__ import annotations

import signal
import sys
from functools import partial

import pytest
from commands import Running
from jobs import publish_tiny

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


@pytest.fixture
def start(tmp_path):
    """Start Python beside the test: ``start("-m", "translate", ..., cwd=folder)`` gives a `commands.Running`."""
    begun = []

    def begin(*words: object, **options: object) -> Running:
        begun.append(Running([sys.executable, *words], tmp_path, f"process-{len(begun)}", **options))
        return begun[-1]

    yield begin
    for running in begun:
        running.kill()


@pytest.fixture
def verify(command):
    """`translate verify`; gives (exit code, stdout, stderr)."""
    return partial(command, "verify")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """URL of a registry that holds the model ``tiny``."""
    return publish_tiny(tmp_path_factory.mktemp("registry"))
