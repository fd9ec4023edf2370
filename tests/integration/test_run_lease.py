"""One run at a time per output, as people meet it: two processes at once, one that was killed, one that stalled."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from jobs import contents, fill, make_job

from translate.batch.run import prepare, run
from translate.errors import EXIT_LOCKED, EXIT_OK, LockedError
from translate.progress import silent
from translate.records import lease
from translate.stores import open_store
from translate.stores.contract import PutMode
from translate.stores.memory import MemoryStore

IMAGES = 240


@contextmanager
def started(registry, folder, expires_after_s=120, machine=None):
    """`translate run` from ``in`` to ``out`` in a process of its own; ``machine``: as if on another one."""
    code = (
        "from translate.records import lease; from translate.cli.app import main\n"
        f"lease.EXPIRES_AFTER_S = {expires_after_s}\n"
        + (f"lease.this_machine = lambda: {machine!r}\n" if machine else "")
        + "main()"
    )
    flags = ["--input", f"{folder}/in", "--output", f"{folder}/out", "--executor", "local"]
    command = [sys.executable, "-c", code, "run", "--model", "tiny", "--registry", registry, *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(folder, count, process):
    """Until so many outputs are there."""
    until = time.monotonic() + 120
    while len(list((folder / "out").glob("set*/*.png"))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def held(folder):
    return lease.read(open_store(str(folder / "out")))


def test_of_two_runs_at_once_one_does_it_and_the_other_exits_5(registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    with started(registry, tmp_path) as one, started(registry, tmp_path) as two:
        ended = {process.pid: (process.communicate(timeout=200), process.returncode) for process in (one, two)}
    ((_, err), code), ((out, _), _) = sorted(ended.values(), key=lambda each: -each[1])
    assert [code for _, code in ended.values()].count(EXIT_OK) == 1, ended
    assert code == EXIT_LOCKED, ended
    assert f"{IMAGES} of {IMAGES} images translated" in out
    winner = next(pid for pid, (_, code) in ended.items() if code == EXIT_OK)
    assert f"error: another run writes to {tmp_path}/out: run 20" in err, err
    assert f"(process {winner}, translate " in err
    assert "its lease expires at " in err
    assert "Traceback" not in err
    assert len(list((tmp_path / "out" / "_translate" / "runs").iterdir())) == 1, "the loser left nothing"
    assert held(tmp_path).lease.released


def test_a_run_that_was_killed_on_this_machine_keeps_nobody_out(registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    with started(registry, tmp_path) as first:
        wait_for(tmp_path, 5, first)
        first.send_signal(signal.SIGSTOP)
        with started(registry, tmp_path) as second:
            _, err = second.communicate(timeout=200)
        assert second.returncode == EXIT_LOCKED, "a process that only stands still is there"
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=60)
    with started(registry, tmp_path) as third:
        out, err = third.communicate(timeout=200)
    assert third.returncode == EXIT_OK, err
    assert f"{IMAGES} of {IMAGES} images translated, " in out
    assert (held(tmp_path).lease.fence, held(tmp_path).lease.released) == (2, True)


def test_a_run_that_was_killed_on_another_machine_keeps_the_next_out_until_its_lease_expires(registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    with started(registry, tmp_path, machine="another") as first:
        wait_for(tmp_path, 5, first)
        first.send_signal(signal.SIGKILL)
    left = held(tmp_path)
    assert (left.lease.fence, left.lease.released) == (1, False)
    with started(registry, tmp_path) as second:
        _, err = second.communicate(timeout=200)
    until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(left.modified_s + 120))
    assert second.returncode == EXIT_LOCKED
    assert re.search(f"its lease expires at {until}, in (1 min|2 min 0 s)", err), err
    # As if two minutes had gone by: the store's clock is the file's time.
    os.utime(tmp_path / "out" / lease.KEY, (left.modified_s - 150, left.modified_s - 150))
    with started(registry, tmp_path) as third:
        out, err = third.communicate(timeout=200)
    assert third.returncode == EXIT_OK, err
    assert f"{IMAGES} of {IMAGES} images translated, " in out
    assert len(contents(open_store(str(tmp_path / "out")))) == IMAGES
    assert (held(tmp_path).lease.fence, held(tmp_path).lease.released) == (2, True)
    (summary,) = (tmp_path / "out").glob("_translate/runs/*/summary.json")
    assert json.loads(summary.read_text())["fence"] == 2


def test_a_run_that_stalled_and_was_replaced_stops(registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    with started(registry, tmp_path, expires_after_s=4) as first:
        wait_for(tmp_path, 5, first)
        first.send_signal(signal.SIGSTOP)
        time.sleep(6)
        with started(registry, tmp_path) as second:
            _, err = second.communicate(timeout=200)
        assert second.returncode == EXIT_OK, err
        output = open_store(str(tmp_path / "out"))
        before, pictures = list(output.list()), contents(output)
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=200)
    assert first.returncode == EXIT_LOCKED, err
    assert f"error: this run has stopped, because it no longer holds {tmp_path}/out: it gave no sign of life" in err
    assert "took over (lease 1 -> 2). It writes nothing more" in err
    changed = {info.key for info in set(output.list()) ^ set(before)}
    assert len(changed) <= 4, "what was on its way to the disk at the very moment"
    assert not any(key.startswith("_translate/") for key in changed), changed
    assert contents(output) == pictures
    assert len(pictures) == IMAGES


@pytest.mark.parametrize("executor", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_run_that_hears_of_another_hands_out_nothing_more(registry, tmp_path, monkeypatch, executor):
    monkeypatch.setattr(lease, "EXPIRES_AFTER_S", 2)  # asks for it every half a second
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    fill(source, 400, height=200, width=300)
    rivals = []

    def replace_it(progress):
        if progress.done >= 5 and not rivals:
            rivals.append(lease.read(output).lease.model_copy(update={"fence": 2, "token": "other", "run": "rival"}))
            output.put(lease.KEY, rivals[0].model_dump_json().encode())

    words = r"run rival, .* \(lease 1 -> 2\)(.|\n)*\d of 400 images are done and recorded"
    with pytest.raises(LockedError, match=words):
        run(prepare(make_job(source, output, registry)), executor, 1, replace_it, lambda: False)
    assert 5 <= len(contents(output)) < 400
    assert lease.read(output).lease == rivals[0]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_gives_the_lease_back(registry, tmp_path, number, code):
    fill(open_store(str(tmp_path / "in")), IMAGES, height=200, width=300)
    with started(registry, tmp_path) as process:
        wait_for(tmp_path, 5, process)
        process.send_signal(number)
        process.communicate(timeout=200)
    assert process.returncode == code
    assert held(tmp_path).lease.released


def test_a_failed_run_gives_the_lease_back(registry):
    source, output = open_store("memory://lease-failed/in/"), open_store("memory://lease-failed/out/")
    fill(source, 3)

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(prepare(make_job(source, output, registry)), "local", None, fail, lambda: False)
    assert lease.read(output).lease.released
    assert run(prepare(make_job(source, output, registry)), "local", None, silent, lambda: False).summary.fence == 2


def test_looking_at_a_plan_takes_no_lease_and_minds_none(registry):
    source, output = open_store("memory://lease-plan/in/"), open_store("memory://lease-plan/out/")
    fill(source, 3)
    prepare(make_job(source, output, registry), plan_only=True)
    prepared = prepare(make_job(source, output, registry))
    assert [info.key for info in output.list()] == []

    def look_around(_):
        with pytest.raises(LockedError, match="another run writes to memory://lease-plan/out/"):
            prepare(make_job(source, output, registry))
        assert prepare(make_job(source, output, registry), plan_only=True).seen is None

    assert run(prepared, "local", None, look_around, lambda: False).summary.ok == 3


class Careless(MemoryStore):
    """Takes conditions and does not heed them."""

    def put(self, key, data, *, mode=PutMode.OVERWRITE, **options):
        del mode
        return super().put(key, data, **options)


def test_without_locks_a_run_says_so_and_is_right(registry, capsys):
    from translate.cli._run_results import show_summary

    source, output = open_store("memory://lease-none/in/"), Careless("lease-none", "out")
    keys = fill(source, 6)
    first, second = (prepare(make_job(source, output, registry)) for _ in range(2))
    for prepared in (first, second):
        ended = run(prepared, "local", None, silent, lambda: False)
        assert (ended.summary.ok, ended.summary.fence) == (6, None)
    assert sorted(contents(output)) == keys
    assert prepare(make_job(source, output, registry)).is_empty
    show_summary(ended, as_json=False)
    assert "not locked: the output's store does not do conditional writes" in capsys.readouterr().out
    page = output.get(f"_translate/runs/{ended.summary.run}/report.html").data.decode()
    assert "not locked: another run may have written there at the same time" in page
