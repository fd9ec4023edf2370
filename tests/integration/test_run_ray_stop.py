"""Signals while a job runs on Ray: the first lets what is in hand end, the second ends at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from jobs import contents, fill, publish_tiny

from translate.stores import open_store

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]
IMAGES = 400
PROGRAM = [sys.executable, "-c", "from translate.cli.app import main; main()"]


@pytest.fixture
def place(tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    publish_tiny(tmp_path / "models")
    return tmp_path


def start(place):
    flags = ["--model", "tiny", "--registry", "models", "--input", "in", "--output", "out", "--executor", "ray"]
    return subprocess.Popen([*PROGRAM, "run", *flags, "--workers", "1-2"], cwd=place, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_more(place, process):
    output = open_store(str(place / "out"))
    before, until_s = len(contents(output)), time.monotonic() + 300
    while len(contents(output)) < before + 5:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until_s, "no outputs appeared"
        time.sleep(0.1)


def test_the_first_signal_drains_and_a_second_one_ends_at_once(place):
    with start(place) as process:
        wait_for_more(place, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    done = len(contents(open_store(str(place / "out"))))
    assert f"stopped: {done} of {IMAGES} images are done and recorded; the same command resumes" in out
    assert "once more stops at once" in err
    with start(place) as process:
        wait_for_more(place, process)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)  # Python may be leaving Ray by then
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode in (143, -signal.SIGTERM), err
    assert "Traceback" not in err
