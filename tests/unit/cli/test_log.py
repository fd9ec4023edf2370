"""What the library logs becomes lines on stderr."""

import json
import logging
from datetime import UTC, datetime, timedelta

import pytest

from translate.cli import _log

LOGGER = logging.getLogger("translate.stores.test")


def test_warnings_and_worse_are_shown_until_the_end(capsys):
    with _log.shown(as_json=False):
        LOGGER.info("nobody asked")
        LOGGER.warning("again in %s s", 3)
        logging.getLogger("pipelines.test").error("a worker died")
        logging.getLogger("botocore").warning("not ours")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "warning: again in 3 s\nerror: a worker died\n")
    assert not logging.getLogger("translate").handlers


def test_as_json(capsys):
    with _log.shown(as_json=True):
        LOGGER.warning("again in %s s", 3)
    line = json.loads(capsys.readouterr().err)
    told = datetime.fromisoformat(line.pop("time"))
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
    assert line == {"event": "log", "level": "warning", "logger": "translate.stores.test",
                    "message": "again in 3 s", "more": 0}


def test_the_same_again_and_again_is_not_a_flood_and_not_forgotten(capsys, monkeypatch):
    with _log.shown(as_json=False):
        for wait in range(1, 6):
            LOGGER.warning("again in %s s", wait)
        LOGGER.warning("something else")
    assert capsys.readouterr().err.splitlines() == [
        "warning: again in 1 s", "warning: something else", "warning: again in 5 s (3 more like it)",
    ]
    monkeypatch.setattr(_log, "QUIET_S", 0.0)
    with _log.shown(as_json=False):
        LOGGER.warning("again in %s s", 1)
        LOGGER.warning("again in %s s", 2)
    assert capsys.readouterr().err.splitlines() == ["warning: again in 1 s", "warning: again in 2 s"]


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_is_logged(capsys, monkeypatch, as_json):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hush-hush-hush")
    with _log.shown(as_json=as_json):
        LOGGER.warning("%s refused %s", "https://me:pass@host/x?a@b", "hush-hush-hush")
        LOGGER.warning("no URL: me:pass@host:80; model: tiny@1")
    err = capsys.readouterr().err
    assert "no URL: host:80; model: tiny@1" in err
    assert "https://host/x?a@b refused ***" in err
