"""The built wheel holds everything that it needs, and works in an empty folder without the sources."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The wheel's files, as pip would lay them."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--wheel-dir", folder, ROOT], check=True, timeout=300)
    [wheel] = folder.glob("translate_images-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def call(unpacked, folder, *args):
    """The command from the wheel, in an empty folder."""
    code = (f"import translate; assert translate.__file__.startswith({str(unpacked)!r}), translate\n"
            "from translate.cli.app import main; main()")
    return subprocess.run([sys.executable, "-c", code, *args], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False, env={**os.environ, "PYTHONPATH": str(unpacked)})


def test_everything_shipped_is_inside(unpacked):
    sources = [path for folder in ("translate", "pipelines") for path in (ROOT / folder).rglob("*")]
    wanted = {path.relative_to(ROOT).as_posix() for path in sources
              if path.is_file() and "__pycache__" not in path.parts}
    wanted |= {f"translate/shipped/configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    inside = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert sorted(wanted - inside) == []
    assert "translate/pages/run.html.j2" in inside
    assert "translate/shipped/configs/monet2photo.yaml" in inside


def test_its_licence_travels_along(unpacked):
    [licence] = unpacked.glob("translate_images-*.dist-info/licenses/LICENSE")
    assert "Apache License" in licence.read_text()


def test_pipelines_are_found(unpacked, tmp_path):
    done = call(unpacked, tmp_path, "pipelines", "list")
    assert done.returncode == 0, done.stderr
    assert "monet2photo" in done.stdout


@pytest.mark.parametrize("pipeline", ["monet2photo", "photo2monet", "sketch2object"])
def test_the_main_job_in_an_empty_folder(unpacked, tmp_path, pipeline):
    done = call(unpacked, tmp_path, "run", "--pipeline", pipeline, "--limit", "2")
    assert done.returncode == 0, done.stderr
    written = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".png", ".jpg", ".jpeg")]
    assert len(written) == 2
    assert len(list((tmp_path / "out").rglob("report.html"))) == 1
