"""The log of a job, put together from pieces; the folder that is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import translate
from pipelines.submit import _lay_out, _Log


def test_lines_come_whole_and_once_however_often_the_log_is_read_anew():
    lines = []
    log = _Log(lines.append)
    log.begin()
    log.add("one\ntw")
    assert lines == ["one"]
    log.begin()  # the connection broke
    log.add("one\n")
    log.add("two\nthree\n\nfo")
    assert lines == ["one", "two", "three", ""]
    log.begin()
    log.add("one\ntwo\nthree\n\nfour")
    log.close()
    assert lines == ["one", "two", "three", "", "four"]


def test_what_is_sent_works_without_being_installed(tmp_path, monkeypatch):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "keys.txt").write_text("a.png\n")
    monkeypatch.chdir(tmp_path)
    sent = tmp_path / "sent"
    sent.mkdir()
    _lay_out(sent, ["lists/keys.txt"])
    assert (sent / "lists" / "keys.txt").read_text() == "a.png\n"
    assert not list(sent.rglob("__pycache__"))
    code = ("from importlib.metadata import entry_points, version; import translate; from translate.config import *; "
            "print(translate.__file__, version('translate-images'), len(pipeline_names()), "
            "*[point.name for point in entry_points(group='translate.executors')])")
    found = subprocess.run([sys.executable, "-c", code], cwd=sent, capture_output=True, text=True, check=True,
                           env={"PATH": ""}).stdout.split()
    assert Path(found[0]).is_relative_to(sent)
    assert found[1:2] == [translate.__version__]
    assert int(found[2]) > 3
    assert found[3:] == ["ray"]
