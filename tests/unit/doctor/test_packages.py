"""Which versions there are, and OpenCV distributions that do not get on with each other."""

from __future__ import annotations

from importlib.metadata import version

import pytest

import translate
from translate.doctor.packages import packages


@pytest.fixture
def install(tmp_path, monkeypatch):
    """``install("name", "1.0")``: have its metadata found, as pip leaves them."""
    monkeypatch.syspath_prepend(tmp_path)

    def add(name, number):
        folder = tmp_path / f"{name.replace('-', '_')}-{number}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")

    return add


def found():
    return {each.what: each for each in packages()}


def test_here():
    lines = found()
    assert {each.level for each in lines.values()} == {"ok"}
    assert lines["translate"].found == translate.__version__
    assert lines["torch"].found == version("torch")
    assert lines["opencv"].found == f"opencv-python-headless {version('opencv-python-headless')}"


def test_two_opencvs_are_a_conflict(install):
    install("opencv-python", "4.11.0.86")
    line = found()["opencv"]
    assert line.level == "problem"
    assert "opencv-python 4.11.0.86: they overwrite each other's files" in line.found
    assert line.do.startswith("pip uninstall -y opencv-python-headless opencv-python && pip install ")


def test_a_package_that_cannot_be_imported(monkeypatch):
    monkeypatch.setattr("translate.doctor.packages.ENTRANCES", {"translate.no_such_file": "numbers"})
    line = found()["numbers"]
    assert line.level == "problem"
    assert "No module named 'translate.no_such_file'" in line.found


def test_a_package_that_is_not_there(monkeypatch):
    monkeypatch.setattr("translate.doctor.packages.NEEDED", ("translate-nothing",))
    monkeypatch.setattr("translate.doctor.packages.OPTIONAL", {"translate-extra": "needed for more"})
    lines = found()
    assert lines["translate-nothing"].level == "problem"
    assert (lines["translate-extra"].level, lines["translate-extra"].found) == ("ok", "not installed; needed for more")
