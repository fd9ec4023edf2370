"""From a URL to a store: what is understood, what is refused, and that nothing is touched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from translate.errors import UnknownNameError, UsageError
from translate.stores import open_input, open_output, open_store


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("memory://name", "memory://name/"),
        ("memory://name/a/b", "memory://name/a/b/"),
        ("s3://bucket", "s3://bucket/"),
        ("s3://bucket/in", "s3://bucket/in/"),
        ("s3://bucket/a b%20c#d?e/", "s3://bucket/a b%20c#d?e/"),
        ("S3://bucket/in/", "s3://bucket/in/"),
        ("/some/folder/", "/some/folder"),
        ("/some/../other", "/other"),
        ("file:///some/folder", "/some/folder"),
        ("file://localhost/a%20b%23c", "/a b#c"),
        ("file:///a#b?c", "/a#b?c"),
    ],
)
def test_a_url_opens_a_place(url: str, opened: str) -> None:
    assert open_store(url).url == opened


def test_paths_are_relative_to_here_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_store("out").url == str(tmp_path / "out")
    assert open_store("~/out").url == str(tmp_path / "home" / "out")
    open_store("out").put("k", b"")
    monkeypatch.chdir("/")
    assert (tmp_path / "out" / "k").exists()


def test_opening_touches_nothing(tmp_path: Path) -> None:
    assert list(open_store(str(tmp_path / "later")).list()) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "memory://", "s3://", "s3:///key", "s3://no", "s3://b?d/", "file://host/path"])
def test_what_cannot_be_a_place_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        open_store(url)


def test_an_unknown_scheme_names_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown store scheme 'gs'; known: file, memory, s3"):
        open_store("gs://bucket/")
    for no_scheme in ("contract", "patience"):
        with pytest.raises(UnknownNameError):
            open_store(f"{no_scheme}://x")


@pytest.mark.parametrize(
    ("url", "endpoint_url"),
    [
        ("s3://key:hunter2@bucket/in/", None),
        ("s3://bucket/in/", "http://user:hunter2@127.0.0.1:1"),
    ],
)
def test_a_url_with_a_secret_is_refused_without_repeating_it(url: str, endpoint_url: str | None) -> None:
    with pytest.raises(UsageError, match="no credentials") as raised:
        open_store(url, endpoint_url=endpoint_url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("endpoint_url", ["localhost:8333", "ftp://host", "http://", ""])
def test_an_endpoint_that_is_none_is_refused(endpoint_url: str) -> None:
    with pytest.raises(UsageError, match="endpoint"):
        open_store("s3://bucket/", endpoint_url=endpoint_url)


def test_an_input_folder_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="there is no folder"):
        open_input(str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="is a file, not a folder"):
        open_input(str(tmp_path / "photo.jpg"))
    assert [info.key for info in open_input(str(tmp_path)).list()] == ["photo.jpg"]
    assert open_input("memory://anything").url == "memory://anything/"


def test_an_output_must_be_able_to_become_a_folder(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"")
    for below in ("", "/new/folder"):
        with pytest.raises(UsageError, match=r"photo\.jpg is a file; give a folder"):
            open_output(f"{tmp_path}/photo.jpg{below}")
    assert open_output(f"{tmp_path}/new/folder").url == f"{tmp_path}/new/folder"
    assert not (tmp_path / "new").exists()


def test_a_folder_costs_no_import_of_boto3() -> None:
    code = "import sys, translate.stores as s; s.open_input('.'); assert 'boto3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
