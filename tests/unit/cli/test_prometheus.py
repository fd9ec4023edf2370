"""Numbers as Prometheus reads them, also while they are counted."""

from __future__ import annotations

import socket
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from translate.batch.meter import Measured, Meter
from translate.cli._prometheus import measured, text
from translate.errors import UsageError
from translate.records.ledger import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

OK = Entry("a.png", "a.png", "1", "ok", size_bytes=30, ms={"get": 500.0, "put": 250.0}, source_bytes=10)
BAD = Entry("b.png", "b.png", "2", "failed", "input.empty", "empty")


class Three:
    """An executor, as far as the meter looks at it."""

    workers = 3


def values(page: str) -> Mapping[tuple[str, ...], float]:
    """Value by name and the labels' values, in the order of the labels' names."""
    return {(sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page) for sample in family.samples}


def scrape(err: str) -> str:
    with urllib.request.urlopen(err.split()[-1], timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.read().decode()


def test_what_is_served_grows(capsys):
    with measured("127.0.0.1", 0, as_json=False) as meter:
        err = capsys.readouterr().err
        assert err.startswith("metrics: http://127.0.0.1:")
        assert values(scrape(err)) == {
            ("translate_images_planned_total",): 0, ("translate_workers",): 0, ("translate_read_bytes_total",): 0,
            ("translate_written_bytes_total",): 0,
        }
        with meter.running(5, Three()):
            for entry in (OK, OK, BAD):
                meter.add(entry)
            meter.succeed()
            during = values(scrape(err))
        meter.add(OK)
        after = values(scrape(err))
    assert time.time() - during.pop(("translate_last_success_timestamp_seconds",)) < 600
    assert during == {
        ("translate_images_planned_total",): 5,
        ("translate_images_total", "", "ok"): 2,
        ("translate_images_total", "input.empty", "failed"): 1,
        ("translate_stage_seconds_total", "get"): 1,
        ("translate_stage_seconds_total", "put"): 0.5,
        ("translate_read_bytes_total",): 20,
        ("translate_written_bytes_total",): 60,
        ("translate_workers",): 3,
    }
    assert (after["translate_workers",], after["translate_images_total", "", "ok"]) == (0, 3)
    with pytest.raises(OSError, match="refused"):
        scrape(err)


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot serve metrics at 127.0.0.1:{port}"):
            measured("127.0.0.1", port, as_json=False).__enter__()
    with pytest.raises(UsageError, match="choose another"):
        measured("no.such.host.invalid", 0, as_json=False).__enter__()
    assert capsys.readouterr().err == ""


def test_without_a_port_nothing_is_served(capsys):
    with measured("127.0.0.1", None, as_json=False) as meter:
        assert meter.read() == Meter().read()
    assert capsys.readouterr() == ("", "")


def test_what_is_unknown_is_left_out():
    assert values(text(Measured(planned=2))) == {("translate_images_planned_total",): 2}
