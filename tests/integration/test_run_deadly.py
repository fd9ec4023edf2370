"""Exceptions and deaths over one picture of many: it costs that picture, and its key is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deadly import DEADLY
from jobs import fill, make_job

from translate.batch.breaker import INTERNAL_IN_A_ROW
from translate.batch.run import prepare, run
from translate.errors import TranslateError
from translate.images import codec
from translate.progress import silent
from translate.records.history import read_ledger, run_names
from translate.stores import open_store
from translate.stores.file import FileStore
from translate.stores.memory import MemoryStore

IMAGES = 40
HERE = Path(__file__).parents[1]


def entries(output):
    return [entry for name in run_names(output) for _, found in read_ledger(output, name) for entry in found]


def test_a_picture_that_kills_its_process_is_given_up_after_one_death_of_the_run(tmp_path, registry):
    fill(FileStore(tmp_path / "in"), IMAGES)
    command = [sys.executable, str(HERE / "deadly.py"), str(tmp_path / "in"), str(tmp_path / "out"), registry]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    first = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert first.returncode == -signal.SIGKILL, first.stderr
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert again.stdout.split(maxsplit=2) == [str(IMAGES - 1), "1", "{'input.poison': 1}\n"], again.stderr
    failed = [entry for entry in entries(open_store(str(tmp_path / "out"))) if entry.outcome == "failed"]
    assert [entry.key for entry in failed] == [DEADLY]
    assert len(list((tmp_path / "out").glob("set*/*.png"))) == IMAGES - 1


class Sick:
    """Raises what nobody foresaw for one picture."""

    def __init__(self, function, is_sick):
        self._function, self._is_sick = function, is_sick

    def __call__(self, *arguments, **options):
        if self._is_sick(*arguments):
            raise ZeroDivisionError("nobody foresaw this")
        return self._function(*arguments, **options)


class Stores(MemoryStore):
    """Memory whose gets or puts of one key raise what nobody foresaw."""

    sick = ("", "")

    def get(self, key, **options):
        """As the contract says."""
        if self.sick == ("get", key):
            raise ZeroDivisionError("nobody foresaw this")
        return super().get(key, **options)

    def put(self, key, data, **options):
        """As the contract says."""
        if self.sick == ("put", key):
            raise ZeroDivisionError("nobody foresaw this")
        return super().put(key, data, **options)


@pytest.mark.parametrize("stage", ["get", "decode", "translate", "encode", "put"])
def test_an_exception_that_nobody_foresaw_costs_one_picture(registry, monkeypatch, stage):
    source, output = Stores(f"sick-{stage}-in", ""), Stores(f"sick-{stage}-out", "")
    fill(source, IMAGES, width=31)
    odd = "set1/0007.png"
    source.put(odd, (HERE / "golden" / "input.png").read_bytes())
    shape = codec.decode(source.get(odd).data).pixels.shape
    if stage in ("get", "put"):
        (source if stage == "get" else output).sick = (stage, odd)
    elif stage == "translate":
        from translate.translation import core

        monkeypatch.setattr(core, "to_tensor", Sick(core.to_tensor, lambda pixels: pixels.shape == shape))
    else:
        def is_odd(first, *_):
            return len(first) > 10_000 if stage == "decode" else first.pixels.shape == shape

        monkeypatch.setattr(codec, stage, Sick(getattr(codec, stage), is_odd))
    prepared = prepare(make_job(source, output, registry, engine=None, choice="torch-float32"))
    run(prepared, "local", 1, silent, lambda: False)
    found = {entry.key: entry for entry in entries(output)}
    assert len(found) == IMAGES
    assert {key for key, entry in found.items() if entry.outcome != "ok"} == {odd}
    assert found[odd].code == f"internal.{stage}"
    assert "ZeroDivisionError: nobody foresaw this" in found[odd].message


def test_a_fault_that_every_picture_meets_ends_the_run_and_names_the_last(registry, monkeypatch):
    source, output = open_store("memory://all-sick-in"), open_store("memory://all-sick-out")
    fill(source, IMAGES)
    prepared = prepare(make_job(source, output, registry, choice="torch-float32"))
    monkeypatch.setattr(codec, "encode", Sick(codec.encode, lambda *_: True))
    with pytest.raises(TranslateError, match=rf"{INTERNAL_IN_A_ROW} images in a row failed .*internal\.encode"):
        run(prepared, "local", 1, silent, lambda: False)
    assert entries(output) == []
