"""`translate status`, `report` and `retry` on real runs: at work, killed, finished, with failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from jobs import contents, fill, make_job, picture, publish_tiny
from page_reader import Reader

from translate.batch.run import prepare, run
from translate.errors import EXIT_ITEMS_FAILED, EXIT_LOCKED, EXIT_OK, EXIT_STORAGE, EXIT_USAGE
from translate.inspection.status import read_status
from translate.progress import silent
from translate.records import layout, lease
from translate.records.holding import hold
from translate.records.manifest import read_units
from translate.stores import open_store


def translate(source, output, registry, listener=silent, **changes):
    """Run the job; returns its summary."""
    ended = run(prepare(make_job(source, output, registry, **changes)), "local", None, listener, lambda: False)
    assert ended.summary is not None
    return ended.summary


def runs(output):
    """Names of the runs, oldest first."""
    return sorted({info.key.split("/")[2] for info in output.list(layout.RUNS)})


def planned(output, name):
    return [item.key for unit in read_units(output, name) for item in unit.items]


@pytest.fixture
def partly_failed(registry, tmp_path):
    """Nine pictures, three of them broken, and a run over them; gives (source, output, keys that failed)."""
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    keys = fill(source, 9)
    for key in keys[2:8:2]:
        source.put(key, b"broken")
    assert translate(source, output, registry).failed == 3
    return source, output, keys[2:8:2]


def test_a_finished_run(command, partly_failed):
    _, output, _ = partly_failed
    (name,) = runs(output)
    url = f"{output.url}/{layout.run_prefix(name)}"
    code, out, err = command("status", url)
    assert (code, err) == (EXIT_OK, f"the failed ones again, and only those: translate retry {url}\n")
    assert out.splitlines()[0] == f"run {name}: finished"
    assert [line.split() for line in out.splitlines()[-5:-1]] == [
        ["OUTCOME", "IMAGES"], ["ok", "6"], ["failed:", "input.not_an_image", "3"], ["open", "0"],
    ]
    assert out.splitlines()[-1].startswith("9 of 9 images, ")
    assert "left" not in out
    assert command("status", output.url)[1] == out, "the newest run of an output"
    assert command("status", f"{output.url}/{layout.report_key(name)}")[1] == out
    found = json.loads(command("status", output.url, "--json")[1])
    assert (found["run"], found["state"], found["planned"], found["ok"], found["failed"], found["open"]) == (
        name, "finished", 9, 6, 3, 0)
    assert (found["codes"], found["seconds_left"]) == ({"input.not_an_image": 3}, None)


def test_a_run_for_prometheus(command, partly_failed):
    _, output, _ = partly_failed
    code, out, _ = command("status", output.url, "--prometheus")
    lines = out.splitlines()
    assert code == EXIT_OK
    assert 'translate_images_total{code="",outcome="ok"} 6.0' in lines
    assert 'translate_images_total{code="input.not_an_image",outcome="failed"} 3.0' in lines
    assert "translate_images_planned_total 9.0" in lines
    assert any(line.startswith('translate_stage_seconds_total{stage="translate"}') for line in lines)
    assert any(line.startswith("translate_last_success_timestamp_seconds ") for line in lines)
    for other in ("--all", "--json"):
        assert command("status", output.url, "--prometheus", other)[0] == EXIT_USAGE


def test_every_run(command, partly_failed, registry):
    source, output, failed = partly_failed
    for key in failed:
        source.put(key, picture(50))
    assert translate(source, output, registry).ok == 3
    code, out, _ = command("status", output.url, "--all")
    assert code == EXIT_OK
    assert [line.split()[:4] for line in out.splitlines()] == [
        ["RUN", "STATE", "IMAGES", "OK"], *([name, "finished", *counts] for name, counts in
                                           zip(runs(output), (["9", "6"], ["3", "3"]), strict=True))]
    lines = [json.loads(line) for line in command("status", output.url, "--all", "--json")[1].splitlines()]
    assert [line["run"] for line in lines] == runs(output)
    assert json.loads(command("status", output.url, "--json")[1])["run"] == runs(output)[-1]


def test_while_it_runs(registry):
    """Asked from within the run itself, so that its state is known."""
    source, output = open_store("memory://at-work/in/"), open_store("memory://at-work/out/")
    fill(source, 40)
    seen = []

    def look(progress):
        if progress.done == 10 and not seen:
            time.sleep(0.1)
            seen.append(read_status(output, runs(output)[0]))

    translate(source, output, registry, look)
    status = seen[0]
    assert (status.state, status.planned, status.totals.ok, status.open) == ("running", 40, 8, 32)  # units of four
    assert status.images_per_second is not None
    assert status.seconds_left == pytest.approx(32 / status.images_per_second)
    assert read_status(output, runs(output)[0]).state == "finished"


def test_a_run_that_was_killed(command, registry, tmp_path):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    fill(source, 120, height=200, width=300)
    program = [sys.executable, "-c", "from translate.cli.app import main; main()"]
    flags = ["--model", "tiny", "--registry", registry, "--executor", "local"]
    with subprocess.Popen([*program, "run", *flags, "--input", source.url, "--output", output.url],
                          stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        try:
            until = time.monotonic() + 120
            while len(list(output.list(layout.RUNS))) < 4:  # units, plan, two segments
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            found = json.loads(command("status", output.url, "--json")[1])
            assert found["state"] == "running"
            assert 0 < found["ok"] < 120
            assert found["ok"] + found["open"] == found["planned"] == 120
            assert found["seconds_left"] > 0
            assert f"(process {process.pid}, " in found["holder"]
            assert command("status", output.url)[1].splitlines()[-1].endswith(" left")
        finally:
            process.kill()

    name = found["run"]
    process.wait(timeout=60)
    assert command("status", output.url)[1].splitlines()[0] == f"run {name}: unfinished", "its process is gone"
    hour_ago = time.time() - 3600
    for info in output.list(layout.RESERVED):
        os.utime(tmp_path / "out" / info.key, (hour_ago, hour_ago))
    code, out, err = command("status", output.url)
    assert (code, out.splitlines()[0]) == (EXIT_OK, f"run {name}: unfinished")
    assert "h 0 min ago" in out
    assert "the same `translate run` command resumes it" in err

    done = read_status(output, name).totals.ok
    code, out, _ = command("report", output.url)
    assert (code, out) == (EXIT_OK, f"report: {output.url}/{layout.report_key(name)}\n")
    page = Reader((tmp_path / "out" / layout.report_key(name)).read_bytes())
    assert "the run was not finished when this page was written" in page.text
    assert f"{done} images translated" in page.text
    assert f"open{120 - done}" in page.text

    code, out, err = command("retry", output.url, "--registry", registry)
    assert (code, out) == (EXIT_OK, f"nothing to retry: nothing failed in run {name}\n")
    assert f"{120 - done} images of run {name} are still open" in err


def test_a_report_again(command, partly_failed, tmp_path):
    source, output, failed = partly_failed
    (name,) = runs(output)
    path = tmp_path / "out" / layout.report_key(name)
    before = path.read_bytes()
    path.unlink()
    code, out, _ = command("report", f"{output.url}/{layout.run_prefix(name)}", "--json")
    assert code == EXIT_OK
    found = json.loads(out)
    assert found.pop("time").endswith("+00:00")
    assert found == {"event": "report", "run": name, "state": "finished", "report_url": str(path), "pictures": 6}
    assert path.read_bytes() == before, "the page of a finished run is the same again"
    assert failed[0] in Reader(before).text
    for info in list(source.list()):
        source.delete(info.key)
    assert "without pictures" in command("report", output.url)[2]
    assert path.read_bytes() != before


def test_retry_does_what_failed_and_only_that(command, partly_failed, registry):
    source, output, failed = partly_failed
    (first,) = runs(output)
    others = contents(output)
    target = f"{output.url}/{layout.run_prefix(first)}"
    flags = ("--registry", registry, "--executor", "local")
    source.put(failed[0], picture(50))
    source.put(failed[1], picture(51))
    code, out, err = command("retry", target, *flags)
    assert code == EXIT_ITEMS_FAILED
    assert "2 of 3 images translated" in out
    assert "1 of 3 images failed" in err
    assert planned(output, runs(output)[1]) == failed
    written = contents(output)
    assert written.keys() == others.keys() | set(failed[:2])
    assert {key: written[key] for key in others} == others

    assert command("retry", target, *flags, "--fail-share", "1")[0] == EXIT_OK
    assert planned(output, runs(output)[2]) == failed[2:], "what was translated since is not done again"

    source.delete(failed[2])
    code, out, _ = command("retry", target, *flags, "--fail-share", "1", "--json")
    assert (code, json.loads(out)["codes"]) == (EXIT_OK, {"input.gone": 1})

    source.put(failed[2], picture(52))
    code, out, _ = command("retry", target, *flags)
    assert (code, out.splitlines()[-3].split(" in ")[0]) == (EXIT_OK, "1 of 1 images translated")
    assert contents(output).keys() == others.keys() | set(failed)
    count = len(runs(output))
    code, out, _ = command("retry", target, *flags)
    assert (code, out) == (EXIT_OK, f"nothing to retry: what failed in run {first} is there by now\n")
    assert json.loads(command("retry", target, "--json")[1])["translated_since"] == 3
    code, out, _ = command("retry", output.url)
    assert (code, out) == (EXIT_OK, f"nothing to retry: nothing failed in run {runs(output)[-1]}\n")
    assert len(runs(output)) == count


def test_retry_has_the_settings_of_the_run(command, registry, tmp_path):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    keys = fill(source, 3)
    source.put(keys[1], b"broken")
    first = translate(source, output, registry, size=16, format="webp", quality=40, pixels="exact")
    source.put(keys[1], picture(1))
    assert command("retry", output.url, "--registry", registry)[0] == EXIT_OK
    found = json.loads((tmp_path / "out" / layout.summary_key(runs(output)[1])).read_text())
    assert found["work"] == first.work.model_dump()
    assert contents(output).keys() == {key.replace(".png", ".webp") for key in keys}


def test_retry_of_a_run_that_only_filled_gaps_replaces_nothing(command, registry, tmp_path):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    keys = fill(source, 3)
    source.put(keys[1], b"broken")
    translate(source, output, registry, overwrite="never")
    source.put(keys[1], picture(1))
    output.put(keys[1], b"somebody's own")
    code, out, _ = command("retry", output.url, "--registry", registry)
    assert (code, out) == (EXIT_OK, f"nothing to retry: what failed in run {runs(output)[0]} is there by now\n")
    assert output.get(keys[1]).data == b"somebody's own"


def test_retry_refuses_another_model(command, partly_failed, tmp_path):
    _, output, _ = partly_failed
    before = contents(output), runs(output)
    other = publish_tiny(tmp_path / "other", seed=1)
    code, _, err = command("retry", output.url, "--registry", other)
    assert code == EXIT_USAGE
    assert "it would be other work (model: tiny@1 (" in err
    code, _, err = command("retry", output.url, "--registry", tmp_path / "none")
    assert code == EXIT_USAGE
    assert "no model 'tiny@1'" in err
    assert (contents(output), runs(output)) == before


def test_retry_waits_for_nobody(command, partly_failed, registry):
    _, output, failed = partly_failed
    with hold(output, "20261122T000000000Z-0000", lease.look(output)):
        code, _, err = command("retry", output.url, "--registry", registry)
        assert code == EXIT_LOCKED
        assert "another run writes to" in err
    assert not contents(output).keys() & set(failed)


@pytest.mark.parametrize("verb", ["status", "report", "retry"])
def test_what_is_not_there_exits_2(command, partly_failed, tmp_path, verb):
    output = partly_failed[1]
    (tmp_path / "empty").mkdir()
    for target, words in (
        (f"{output.url}/{layout.RUNS}20260101T000000000Z-0000/", "there is no run '20260101T000000000Z-0000'"),
        (tmp_path / "empty", "no run has written to"),
        (tmp_path / "nowhere", "there is no folder"),
        ("ftp://x/y", "unknown store scheme"),
    ):
        code, _, err = command(verb, target)
        assert (code, words in err, "Traceback" in err) == (EXIT_USAGE, True, False), err


@pytest.mark.s3
def test_bucket(command, s3_server, registry):
    bucket, endpoint = s3_server.make_bucket(), ("--endpoint-url", s3_server.endpoint_url)
    source = open_store(f"s3://{bucket}/in/", endpoint_url=s3_server.endpoint_url)
    output = open_store(f"s3://{bucket}/out/", endpoint_url=s3_server.endpoint_url)
    keys = fill(source, 6)
    source.put(keys[3], b"broken")
    translate(source, output, registry)
    (first,) = runs(output)
    target = f"s3://{bucket}/out/{layout.run_prefix(first)}"
    assert json.loads(command("status", target, *endpoint, "--json")[1])["failed"] == 1
    output.delete(layout.summary_key(first))
    found = json.loads(command("status", target, *endpoint, "--json")[1])
    assert (found["state"], found["ok"], found["failed"], found["open"]) == ("unfinished", 5, 1, 0)
    assert abs(time.time() - output.head(layout.plan_key(first)).modified_s) < 60
    source.put(keys[3], picture(3))
    assert command("retry", target, "--registry", registry, *endpoint)[0] == EXIT_OK
    assert [json.loads(line)["planned"] for line in command("status", f"s3://{bucket}/out", "--all", *endpoint,
                                                            "--json")[1].splitlines()] == [6, 1]
    assert command("report", target, *endpoint)[1] == f"report: s3://{bucket}/out/{layout.report_key(first)}\n"
    assert command("status", f"s3://{bucket}-none/out/", *endpoint)[0] == EXIT_STORAGE


@pytest.mark.parametrize("verb", ["status", "report", "retry"])
def test_a_store_that_is_not_there_exits_4(command, verb, monkeypatch):
    monkeypatch.setattr("translate.stores._s3_client.REQUEST_TRIES", 1)
    code, _, err = command(verb, "s3://bucket/out/", "--endpoint-url", "http://127.0.0.1:9")
    assert code == EXIT_STORAGE
    assert "could not be reached" in err
