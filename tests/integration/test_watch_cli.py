"""`translate run --watch`: rounds in this process, with the world changed in the pauses; a process and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from types import SimpleNamespace

import pytest
from jobs import contents, fill, picture

from translate.batch.meter import Meter
from translate.batch.planning import Selection
from translate.batch.request import RunRequest
from translate.batch.workers import Workers
from translate.cli import _watching
from translate.config import Run
from translate.errors import EXIT_USAGE, UnavailableError, WorkDigestError
from translate.records import layout, lease
from translate.records.holding import hold
from translate.stores import open_store
from translate.stores.memory import MemoryStore

DAY_AGO_S = time.time() - 86400


class Shaky(MemoryStore):
    """A store that is down for as long as it is told to be, and counts its listings."""

    down = False
    listings = 0

    def list(self, *arguments, **options):
        if Shaky.down:
            raise UnavailableError("the store could not be reached")
        Shaky.listings += 1
        yield from super().list(*arguments, **options)


class EnoughError(Exception):
    """Ends a watch in a test."""


@pytest.fixture
def source():
    Shaky.down, Shaky.listings = False, 0
    store = Shaky("watched", "in/")
    yield store
    for key in [info.key for info in store.list()]:
        store.delete(key)


@pytest.fixture
def watch(monkeypatch, registry, tmp_path, source, capsys):
    """Watch; each of the functions given is called in one pause; gives (pauses in seconds, events, output)."""
    output = open_store(str(tmp_path / "out"))

    def call(*between, overwrite="changed", as_json=True, **settings):
        steps, pauses = iter(between), []

        def sleep(seconds):
            pauses.append(seconds)
            step = next(steps, None)
            if step is None:
                raise EnoughError
            step()

        monkeypatch.setattr(_watching, "time", SimpleNamespace(sleep=sleep))
        asked = RunRequest(
            pipeline="", source=source, output=output, model="tiny", settings=Run(**settings), selection=Selection(),
            overwrite=overwrite, registry_url=registry, device="cpu",
        )
        with pytest.raises(EnoughError):
            _watching.watch_input(asked, "local", Workers(None, None), 60.0, Meter(), as_json=as_json)
        out, err = capsys.readouterr()
        if not as_json:
            return pauses, out + err, output
        events = [json.loads(line) for line in (out + err).splitlines()]
        return pauses, [event for event in events if event["event"] not in ("progress", "watching")], output

    return call


def runs(output):
    return sorted({info.key.split("/")[2] for info in output.list(layout.RUNS)})


def names(events):
    return [event["event"] for event in events]


def nothing():
    """A pause in which nothing happens."""


def test_what_arrives_is_translated_and_the_rest_is_silence(watch, source):
    fill(source, 4)
    seen = []

    def arrives():
        seen.append(Shaky.listings)
        source.put("new.png", picture(7))

    def changes():
        source.put("new.png", picture(8))

    pauses, events, output = watch(nothing, nothing, nothing, arrives, nothing, changes)
    assert pauses == [60] * 7
    assert names(events) == ["summary", "nothing_to_do", "nothing_to_do", "nothing_to_do", "summary",
                             "nothing_to_do", "summary"]
    assert [event["planned"] for event in events if event["event"] == "summary"] == [4, 1, 1]
    assert len(runs(output)) == 3
    assert len(contents(output)) == 5
    assert seen[0] <= 4 + 3 + 1 + 1, "an idle round lists the input once, and nothing else"


def test_an_idle_round_writes_nothing_and_says_nothing(watch, source, tmp_path):
    fill(source, 2)
    seen = []

    def look():
        seen.append({path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")})

    _, said, _ = watch(look, look, look, look, as_json=False)
    assert all(each == seen[0] for each in seen)
    assert said.count("images translated in") == 1
    assert "nothing to do" not in said


def test_a_store_that_is_down_is_waited_for_longer_and_longer(watch, source):
    fill(source, 2)

    def down():
        Shaky.down = True

    def up():
        Shaky.down = False
        source.put("new.png", picture(7))

    pauses, events, output = watch(down, nothing, nothing, up, nothing)
    assert pauses == [60, 120, 240, 480, 60, 60]
    assert names(events) == ["summary", "summary", "nothing_to_do", *["warning"] * 3], "stdout, then stderr"
    warning = next(event for event in events if event["event"] == "warning")
    assert (warning["kind"], warning["then"]) == ("UnavailableError", "trying again in 2 min 0 s")
    assert len(contents(output)) == 3


def test_another_run_is_waited_for_and_said_once(watch, source, tmp_path):
    fill(source, 2)
    output = open_store(str(tmp_path / "out"))
    held = []

    def take():
        held.append(hold(output, "20261122T000000000Z-0000", lease.look(output)))
        held[0].__enter__()
        source.put("new.png", picture(7))

    def release():
        held[0].__exit__(None, None, None)

    pauses, said, _ = watch(take, nothing, nothing, release, as_json=False)
    assert pauses == [60] * 5
    assert said.count("another run writes to") == 1
    assert "watching until it has ended" in said
    assert len(contents(output)) == 3


def test_only_failures_make_the_pause_longer_but_do_not_end_it(watch, source):
    source.put("a.png", b"broken")
    pauses, events, output = watch(nothing, lambda: source.put("b.png", picture(1)))
    assert pauses == [120, 60, 60]
    assert [event["kind"] for event in events if event["event"] == "warning"] == ["ItemsFailedError"]
    assert list(contents(output)) == ["b.png"]


def test_a_mistake_ends_it_at_once(watch, source):
    fill(source, 2)
    watch()
    with pytest.raises(WorkDigestError):
        watch(quality=11)


def start(folder, registry, *flags):
    (folder / "in").mkdir()
    program = [sys.executable, "-c", "from translate.cli.app import main; main()", "run", "--watch", "--every", "1"]
    flags = [*flags, "--model", "tiny", "--registry", registry, "--executor", "local"]
    return subprocess.Popen([*program, *flags, "--input", str(folder / "in"), "--output", str(folder / "out")],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_an_idle_watch_at_once(registry, tmp_path, number, code):
    with start(tmp_path, registry, "--json", "--metrics-port", "0") as process:
        try:
            metrics = json.loads(process.stderr.readline())["url"]
            path = tmp_path / "in" / "a.png"
            assert json.loads(process.stdout.readline())["event"] == "watching"
            assert json.loads(process.stdout.readline())["event"] == "nothing_to_do"
            path.write_bytes(picture(1))
            os.utime(path, (DAY_AGO_S, DAY_AGO_S))
            while (event := json.loads(process.stdout.readline()))["event"] == "nothing_to_do":
                pass
            assert (event["event"], event["ok"]) == ("summary", 1)
            assert json.loads(process.stdout.readline())["event"] == "nothing_to_do"
            with urllib.request.urlopen(metrics, timeout=60) as answer:
                numbers = answer.read().decode().splitlines()
            assert 'translate_images_total{code="",outcome="ok"} 1.0' in numbers
            assert f"translate_read_bytes_total {float(path.stat().st_size)}" in numbers
            assert any(line.startswith("translate_last_success_timestamp_seconds ") for line in numbers)
            process.send_signal(number)
            _, err = process.communicate(timeout=240)
        finally:
            process.kill()
    assert process.returncode == code
    assert "Traceback" not in err
    assert (tmp_path / "out" / "a.png").is_file()


@pytest.mark.parametrize("flags", [("--keys", "{in}"), ("--dry-run",), ("--overwrite", "always"), ("--sample", "2")])
def test_what_would_do_the_same_for_ever_exits_2(command, flags):
    code, _, err = command("run", "--model", "tiny", "--watch", *flags)
    assert (code, "--watch translates what arrives" in err) == (EXIT_USAGE, True)


def test_every_without_watch_exits_2(command):
    code, _, err = command("run", "--model", "tiny", "--every", "5")
    assert (code, "give that too" in err) == (EXIT_USAGE, True)
