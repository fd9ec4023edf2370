"""`translate doctor` as people meet it: its lines, its exit codes, no secrets."""

from __future__ import annotations

import json

import pytest

from translate.errors import EXIT_ITEMS_FAILED, EXIT_OK, EXIT_STORAGE, EXIT_USAGE
from translate.stores import open_store


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No registry in the working folder."""
    monkeypatch.chdir(tmp_path)


def test_a_machine_that_is_well(command, tmp_path):
    code, out, err = command("doctor")
    assert (code, err) == (EXIT_OK, "")
    *lines, total = out.splitlines()
    assert {"torch", "opencv", "processor", "threads", "memory", "signer", "models", "registry"} <= {
        line.split()[1] for line in lines if not line.lstrip().startswith("->")}
    assert total.endswith(" 0 problems")
    code, out, _ = command("doctor", "--store", tmp_path, "--json")
    found = json.loads(out)
    assert (code, found["counts"]["problem"]) == (EXIT_OK, 0)
    assert {"store", "store clock", "store creation"} <= {each["what"] for each in found["findings"]}
    assert list(tmp_path.iterdir()) == []


def test_a_problem_exits_3_and_says_what_to_do(command, tmp_path, monkeypatch):
    folder = tmp_path / "site/opencv_python-4.11.0.86.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python\nVersion: 4.11.0.86\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    code, out, _ = command("doctor")
    assert code == EXIT_ITEMS_FAILED
    lines = out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("problem"))
    assert "overwrite each other" in lines[place]
    assert lines[place + 1].strip().startswith("-> pip uninstall -y ")
    assert lines[-1].endswith(" 1 problems")


def test_usage_exits_2(command, tmp_path):
    for place, words in ((tmp_path / "nowhere", "there is no folder"), ("ftp://x", "unknown store scheme"),
                         ("s3://user:hush@bucket/", "holds no credentials")):
        code, out, err = command("doctor", "--store", place)
        assert (code, words in err, "hush" in out + err) == (EXIT_USAGE, True, False)


def test_a_store_that_is_not_there_exits_4(command, monkeypatch):
    monkeypatch.setattr("translate.stores._s3_client.REQUEST_TRIES", 1)
    code, out, err = command("doctor", "--store", "s3://bucket/", "--endpoint-url", "http://127.0.0.1:9", "--json")
    assert code == EXIT_STORAGE
    found = json.loads(out)
    assert [each["what"] for each in found["findings"] if each["level"] == "problem"] == ["store"]
    assert "could not be reached" in json.loads(err.splitlines()[-1])["error"]["message"]
    code, out, _ = command("doctor", "--store", "s3://bucket/", "--endpoint-url", "http://127.0.0.1:9")
    row, advice = out.splitlines()[-3:-1]
    assert (code, row.split()[:2], "could not be reached" in row) == (EXIT_STORAGE, ["problem", "store"], True)
    assert "check --store" in advice


@pytest.mark.s3
def test_a_bucket(command, s3_server, monkeypatch):
    bucket, endpoint = s3_server.make_bucket(), ("--endpoint-url", s3_server.endpoint_url)
    code, out, _ = command("doctor", "--store", f"s3://{bucket}/out/", *endpoint)
    assert code == EXIT_OK
    assert "only if absent: kept, also among 4 at once" in out
    assert "only if unchanged: kept" in out
    assert list(open_store(f"s3://{bucket}/", endpoint_url=s3_server.endpoint_url).list()) == []
    code, _, err = command("doctor", "--store", f"s3://{bucket}-none/", *endpoint)
    assert (code, "there is no bucket" in err) == (EXIT_STORAGE, True)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush-hush")
    code, out, err = command("doctor", "--store", f"s3://{bucket}/out/", *endpoint)
    assert code == EXIT_STORAGE
    assert "no access to object " in err
    row, advice = out.splitlines()[-3:-1]
    assert (row.split()[:2], "whose credentials" in advice) == (["problem", "store"], True)
    assert "hush" not in out + err
