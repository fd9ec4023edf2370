"""What is shown, and on which stream."""

import json
import os
import pty
import subprocess
import sys

import pytest

from translate.cli import console
from translate.cli.console import Pace
from translate.progress import Progress


def test_pace_counts_only_what_was_done_since_the_first_report():
    pace = Pace(Progress(100, 200, "images"), now_s=10.0)
    later = Progress(120, 200, "images")
    assert pace.per_second(later, now_s=20.0) == pytest.approx(2.0)
    assert pace.seconds_left(later, now_s=20.0) == pytest.approx(40.0)


def test_pace_says_nothing_without_work_or_total():
    pace = Pace(Progress(100, 200, "images"), now_s=10.0)
    assert pace.per_second(Progress(100, 200, "images"), now_s=20.0) is None
    assert pace.seconds_left(Progress(110, None, "images"), now_s=20.0) is None


def test_time_before_the_first_image_is_not_held_against_the_pace(capsys, monkeypatch):
    seconds = iter([0.0, 0.0, 30.0, 60.0, 70.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(seconds))
    with console.progress("translating") as listener:
        listener(Progress(0, 100, "images", "2 of 2 workers starting"))
        listener(Progress(0, 100, "images", "2 of 2 workers starting"))
        listener(Progress(0, 100, "images"))
        listener(Progress(20, 100, "images"))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "translating: 0 of 100 images, 2 of 2 workers starting"
    assert lines[-1] == "translating: 20 of 100 images, 2.00 images/s, 40 s left"


def test_plain_progress_is_on_stderr_and_ends_with_the_last_state(capsys, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_EVERY_S", 0.0)
    with console.progress("translating") as listener:
        listener(Progress(0, 10, "images"))
        listener(Progress(10, 10, "images", "1 failed"))
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first == "translating: 0 of 10 images"
    assert last.startswith("translating: 10 of 10 images, ")
    assert last.endswith(" images/s, 1 failed")


def test_plain_progress_is_not_a_flood(capsys):
    with console.progress("translating") as listener:
        for done in range(1000):
            listener(Progress(done, 1000, "images"))
    assert capsys.readouterr().err.count("\n") == 1


def test_json_progress_is_one_object_a_line(capsys, monkeypatch):
    monkeypatch.setattr(console, "JSON_EVERY_S", 0.0)
    with console.progress("translating", as_json=True) as listener:
        listener(Progress(0, None, "objects"))
        listener(Progress(3, 4, "images"))
    lines = [json.loads(line)["progress"] for line in capsys.readouterr().err.splitlines()]
    assert [line["done"] for line in lines] == [0, 3]
    assert lines[0]["total"] is None
    assert lines[0]["per_second"] is None
    assert lines[1]["unit"] == "images"


def test_json_knows_no_infinity():
    line = console.json_line("e", {"psnr": float("inf"), "found": [{"loss": float("nan")}, (1.5, 2)]})
    assert json.loads(line, parse_constant=pytest.fail) | {"time": ""} == {
        "event": "e", "time": "", "psnr": None, "found": [{"loss": None}, [1.5, 2]]}


def test_last_state_is_shown_when_the_work_breaks_off(capsys):
    def work():
        with console.progress("translating") as listener:
            listener(Progress(7, 10, "images"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "7 of 10 images" in capsys.readouterr().err


def test_bar_on_a_terminal():
    master, slave = pty.openpty()
    code = ("import time\nfrom translate.cli import console\nfrom translate.progress import Progress\n"
            "with console.progress('translating') as listen:\n"
            "    for done in range(5):\n        listen(Progress(done, 4, 'images', '1 failed'))\n"
            "        time.sleep(0.02)\n")
    done = subprocess.run([sys.executable, "-c", code], stderr=slave, stdout=subprocess.PIPE, timeout=60,
                          check=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert done.stdout == b""
    assert "4 of 4 images" in shown
    assert "/s" in shown
    assert "1 failed" in shown


def test_table_aligns_words_left_and_numbers_right(capsys):
    console.table(["CODE", "IMAGES"], [["input.empty", 3], ["ok", 120]])
    assert capsys.readouterr().out.splitlines() == [
        "CODE         IMAGES",
        "input.empty       3",
        "ok              120",
    ]


def test_empty_table_is_its_header(capsys):
    console.table(["NAME", "TO"], [])
    assert capsys.readouterr().out == "NAME  TO\n"
