"""`translate data`."""

from __future__ import annotations

import json

import numpy as np
from typer.testing import CliRunner

from translate.cli.data import app
from translate.errors import DataError, UsageError
from translate.images.codec import encode
from translate.images.picture import Picture


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (390, 390, 3), dtype=np.uint8)
    path.write_bytes(encode(Picture(pixels, None, "png"), "png", 100))


def test_painted(tmp_path):
    picture(tmp_path / "photos/a.png", 0)
    picture(tmp_path / "paintings/b.png", 1)
    done = CliRunner().invoke(app, ["prepare", "painted", "--photos", str(tmp_path / "photos"), "--paintings",
                                    str(tmp_path / "paintings"), "--into", str(tmp_path / "out"), "--count", "1",
                                    "--look", "b=1", "--json"])
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)["images"]
    assert counts["answersA"] == counts["answersB"] == counts["trainB"] == 1
    for folder, count in counts.items():
        assert len(list((tmp_path / "out" / folder).iterdir())) == count


def test_a_look_must_be_a_name_and_a_weight(tmp_path):
    done = CliRunner().invoke(app, ["prepare", "painted", "--photos", "x", "--paintings", "y", "--into",
                                    str(tmp_path), "--look", "Daffodils"])
    assert isinstance(done.exception, UsageError)
    assert "'Daffodils' is not NAME=WEIGHT" in str(done.exception)


def test_missing_packages_are_named(tmp_path):
    done = CliRunner().invoke(app, ["prepare", "fluent-emoji", "--into", str(tmp_path / "out"), "--packages",
                                    str(tmp_path)])
    assert isinstance(done.exception, DataError)
    assert "npm pack" in str(done.exception)
    assert not (tmp_path / "out").exists()
