"""The log of a job, put together from pieces; the folder that is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.exceptions import AuthenticationError

import translate
from pipelines import submit
from pipelines.submit import RayCluster, _lay_out, _Log
from translate.errors import ClusterError


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


class Client:
    """A cluster's answers, one after the other: of a log its pieces, or an error, and what became of the job."""

    def __init__(self, *readings):
        self._readings = list(readings)

    async def tail_job_logs(self, _):
        for piece in self._readings[0][0]:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def get_job_info(self, _):
        status = self._readings.pop(0)[1]
        if isinstance(status, Exception):
            raise status
        return SimpleNamespace(status=SimpleNamespace(is_terminal=lambda: status == "ended"), driver_exit_code=3)


def cluster(client):
    found = RayCluster.__new__(RayCluster)
    found._client, found._address = client, "http://head:8265"
    return found


def test_lines_that_a_broken_connection_held_back_are_shown_when_the_job_has_ended(monkeypatch):
    monkeypatch.setattr(submit, "PAUSE_S", 0)
    lines, broken = [], RuntimeError("closed")
    log = "one\n", "two\n", "three\n"
    client = Client(([*log[:1], broken], "runs"), ([*log[:2], broken], "ended"), (log, "ended"))
    assert cluster(client).follow("job", lines.append) == 3
    assert lines == ["one", "two", "three"]


def test_a_log_that_never_comes_keeps_nobody_from_the_exit_code(monkeypatch):
    monkeypatch.setattr(submit, "PAUSE_S", 0)
    assert cluster(Client(*[([RuntimeError("gone")], "ended")] * 2)).follow("job", str) == 3


def test_a_token_that_is_refused_while_following_is_told():
    with pytest.raises(ClusterError, match="refused: no such token"):
        cluster(Client(([], AuthenticationError("no such token")))).follow("job", str)


def test_a_head_whose_agent_is_not_up_yet_is_asked_again(monkeypatch):
    monkeypatch.setattr(submit, "PAUSE_S", 0)
    busy = RuntimeError("status code 500: No available agent to submit job, please try again later..")
    assert cluster(Client(([], busy), ([], busy), ([], "ended"))).follow("job", str) == 3
    monkeypatch.setattr(submit, "PATIENCE_S", -1.0)
    with pytest.raises(ClusterError, match=r"has not answered for .*: status code 500"):
        cluster(Client(([], busy))).follow("job", str)


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
