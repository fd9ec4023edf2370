"""`translate data`."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from archive_server import ArchiveServer
from training_set import picture as training_picture
from training_set import png
from typer.testing import CliRunner

from translate.cli.data import app
from translate.errors import DataError
from translate.images.codec import encode
from translate.images.picture import Picture


def picture(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (390, 390, 3), dtype=np.uint8)
    path.write_bytes(encode(Picture(pixels, None, "png"), "png", 100))


def test_painted(tmp_path):
    picture(tmp_path / "photos/a.png", 0)
    picture(tmp_path / "photos/b.png", 1)
    done = CliRunner().invoke(app, ["prepare", "painted", "--photos", str(tmp_path / "photos"), "--into",
                                    str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    counts = json.loads(done.stdout)["images"]
    assert sum(count for folder, count in counts.items() if folder.endswith("photo")) == 2
    for folder, count in counts.items():
        assert len(list((tmp_path / "out").glob(f"{folder}/*"))) == count


def test_missing_packages_are_named(tmp_path):
    done = CliRunner().invoke(app, ["prepare", "fluent-emoji", "--into", str(tmp_path / "out"), "--packages",
                                    str(tmp_path)])
    assert isinstance(done.exception, DataError)
    assert "npm pack" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def horses(monkeypatch):
    """A web folder with horse2zebra.zip, one image of it broken."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for folder in ("trainA", "trainB", "testA", "testB"):
            file.writestr(f"horse2zebra/{folder}/1.png", png(training_picture(1)))
        file.writestr("horse2zebra/trainA/broken.png", b"text")
    server = ArchiveServer()
    server.files["/sets/horse2zebra.zip"] = archive.getvalue()
    yield f"{server.url}/sets"
    server.close()


def test_fetch_then_check(tmp_path, horses):
    into = str(tmp_path / "set")
    fetch = ["fetch", "horse2zebra", "--into", into, "--base-url", horses]
    done = CliRunner().invoke(app, fetch)
    assert done.exit_code == 3, done.output
    assert "trainA       1" in done.stdout
    assert "left out: horse2zebra/trainA/broken.png: input.not_an_image" in done.stderr
    again = CliRunner().invoke(app, [*fetch, "--json"])
    assert again.exit_code == 0
    assert json.loads(again.stdout)["fetched"] is False

    check = ["check", into, "--pipeline", "horse2zebra"]
    small = CliRunner().invoke(app, check)
    assert small.exit_code == 3
    assert "image.too_small  trainA/1.png" in small.stdout
    assert small.stdout.endswith("\n2 things wrong; images: 1 of a, 1 of b, 1 of test_a, 1 of test_b\n")
    findings = json.loads(CliRunner().invoke(app, [*check, "--json"]).stdout)["findings"]
    assert [finding["where"] for finding in findings] == ["trainA/1.png", "trainB/1.png"]


def test_check_is_content(tmp_path):
    for folder in ("trainA", "trainB", "testA", "testB"):
        picture(tmp_path / folder / "1.png", 0)
    done = CliRunner().invoke(app, ["check", str(tmp_path), "--pipeline", "horse2zebra"])
    assert done.exit_code == 0
    assert done.stdout == "nothing wrong; images: 1 of a, 1 of b, 1 of test_a, 1 of test_b\n"
