"""Shipped models that are whole, damaged or not there, and registries."""

from __future__ import annotations

import re

import pytest
from jobs import publish_tiny

from translate.doctor.models import registry, shipped


def test_the_shipped_models_are_whole():
    line = shipped()
    assert line.level == "ok"
    assert re.search(r"monet2photo@\d, photo2monet@\d, sketch2object@\d: digests verified$", line.found)


def test_a_damaged_one_is_named(tmp_path):
    publish_tiny(tmp_path)
    assert shipped(str(tmp_path)).found == "tiny@1: digests verified"
    (weights,) = tmp_path.glob("tiny/1/*.safetensors")
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    line = shipped(str(tmp_path))
    assert line.level == "problem"
    assert line.found.startswith("tiny@1: ")
    assert "is damaged: its digest is" in line.found


def test_none(tmp_path):
    assert shipped(str(tmp_path)).level == "warning"


def test_registries(tmp_path, monkeypatch):
    (line,) = registry(str(tmp_path))
    assert (line.level, line.found) == ("ok", f"{tmp_path}: 0 published")
    publish_tiny(tmp_path)
    (tmp_path / "tiny/2").mkdir()
    (tmp_path / "tiny/2/model.json").write_text("{")
    lines = list(registry(str(tmp_path)))
    assert [each.level for each in lines] == ["ok", "warning"]
    assert lines[1].found.startswith("tiny@2: ")
    monkeypatch.setenv("TRANSLATE_REGISTRY", str(tmp_path))
    assert list(registry(None)) == lines


def test_a_registry_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr("translate.stores._s3_client.REQUEST_TRIES", 1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://user:hush@127.0.0.1:9")
    (line,) = registry("s3://models/")
    assert line.level == "problem"
    assert "could not be reached" in line.found
    assert "hush" not in line.found


@pytest.mark.s3
def test_a_registry_in_a_bucket(s3_server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    (line,) = registry(f"s3://{s3_server.make_bucket()}/models/")
    assert (line.level, line.found.endswith("0 published")) == ("ok", True)
