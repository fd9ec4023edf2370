"""`translate verify` on what a run wrote, in every state, as people meet it."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from jobs import contents, fill, make_job, picture

from translate.batch.run import prepare, run
from translate.errors import EXIT_ITEMS_FAILED, EXIT_OK, EXIT_STORAGE, EXIT_USAGE
from translate.images.codec import decode, encode
from translate.images.mark import read_mark
from translate.progress import silent
from translate.records import layout
from translate.stores import open_store


def translate(source, output, registry, **changes):
    """Run the job; returns its summary."""
    ended = run(prepare(make_job(source, output, registry, **changes)), "local", None, silent, lambda: False)
    assert ended.summary is not None
    return ended.summary


@pytest.fixture(scope="module")
def made(registry, tmp_path_factory):
    """A folder with the output of one run over nine pictures, never changed."""
    folder = tmp_path_factory.mktemp("made")
    fill(open_store(str(folder / "in")), 9)
    translate(open_store(str(folder / "in")), open_store(str(folder / "out")), registry)
    return folder


@pytest.fixture
def output(made, tmp_path):
    """A copy of it to do damage to."""
    return shutil.copytree(made / "out", tmp_path / "out")


def flip(path):
    """Change one byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def without_mark(path):
    path.write_bytes(encode(decode(path.read_bytes()), "png", 100))


def test_an_output_that_is_well(verify, made):
    code, out, _ = verify(made / "out")
    assert (code, out) == (EXIT_OK, "9 pictures: 9 unaltered\n")
    assert verify(f"{made / 'out'}/")[:2] == (code, out)
    assert verify(made / "out/set1")[:2] == (EXIT_OK, "3 pictures: 3 unaltered\n")


def test_every_state_is_found(verify, output):
    flip(output / "set0/0000.png")
    without_mark(output / "set0/0003.png")
    (output / "set1/0001.png").unlink()
    (output / "set1/0004.png").write_text("no image at all")
    (output / "mine.png").write_bytes(picture(99))
    (output / "notes.txt").write_text("not a picture")
    code, out, _ = verify(output)
    assert code == EXIT_ITEMS_FAILED
    header, *rows, total = out.splitlines()
    assert header.split() == ["PICTURE", "STATE", "WHY"]
    assert [tuple(re.split(" {2,}", row)[:2]) for row in rows] == [
        ("mine.png", "not ours"), ("set0/0000.png", "altered"), ("set0/0003.png", "altered"),
        ("set1/0004.png", "altered"), ("set1/0001.png", "missing"),
    ]
    assert total == "10 pictures: 5 unaltered, 3 altered, 1 missing, 1 not ours"

    found = json.loads(verify(output, "--json")[1])
    assert found["counts"] == {"not_ours": 1, "altered": 3, "unaltered": 5, "missing": 1}
    altered = next(each for each in found["findings"] if each["key"] == "set0/0000.png")
    assert altered["why"].startswith("other bytes than run ")
    assert altered["recorded"]["source"].endswith("/in/set0/0000.png")
    assert verify(output / "set2", "--json")[0] == EXIT_OK, "only what lies there counts"


@pytest.mark.parametrize("damage", [flip, without_mark])
def test_one_picture_of_an_output(verify, output, damage):
    path = output / "set0/0000.png"
    mark = read_mark(path.read_bytes())
    code, out, _ = verify(path)
    assert code == EXIT_OK
    assert out.splitlines()[0] == "set0/0000.png: unaltered"
    assert f"made by: model tiny@1, {mark.model_digest}" in out
    assert f"from:    {mark.source_digest}" in out
    assert f"work:    {mark.work_digest}" in out
    assert "/in/set0/0000.png" in out
    damage(path)
    code, out, _ = verify(path)
    assert code == EXIT_ITEMS_FAILED
    assert out.startswith("set0/0000.png: altered; ")
    path.unlink()
    code, out, _ = verify(path)
    assert code == EXIT_ITEMS_FAILED
    assert out.startswith("set0/0000.png: missing; run ")


def test_a_picture_that_left_its_output_still_says_what_made_it(verify, made, tmp_path):
    shutil.copy(made / "out/set0/0000.png", tmp_path / "elsewhere.png")
    code, out, _ = verify(tmp_path / "elsewhere.png")
    assert code == EXIT_OK
    assert out.startswith("elsewhere.png: marked; it says so itself")
    assert "made by: model tiny@1, sha256:" in out
    found = json.loads(verify(tmp_path / "elsewhere.png", "--json")[1])
    assert (found["state"], found["mark"]["model"], found["recorded"]) == ("marked", "tiny@1", None)


def test_pictures_of_others(verify, made, tmp_path):
    code, out, _ = verify(made / "in/set0/0000.png")
    assert (code, out) == (EXIT_ITEMS_FAILED, "0000.png: unmarked; nothing in it says what made it\n")
    (tmp_path / "text.png").write_text("no image")
    code, _, err = verify(tmp_path / "text.png")
    assert code == EXIT_ITEMS_FAILED
    assert "input.not_an_image" in err


def test_an_output_from_before_there_were_marks(verify, registry, tmp_path, monkeypatch):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    fill(source, 2)
    monkeypatch.setattr("translate.translation.core.to_xmp", lambda _mark: b"")
    translate(source, output, registry)
    code, out, _ = verify(tmp_path / "out")
    assert code == EXIT_ITEMS_FAILED
    assert out.splitlines()[-1] == "2 pictures: 2 unmarked"
    assert "by a version that did not mark" in out


def test_the_last_run_that_wrote_a_picture_counts(verify, registry, tmp_path):
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    keys = fill(source, 3)
    translate(source, output, registry)
    source.put(keys[0], picture(77))
    source.put(keys[1], b"broken")
    assert translate(source, output, registry).failed == 1
    assert verify(tmp_path / "out")[:2] == (EXIT_OK, "3 pictures: 3 unaltered\n")


def test_a_run_that_did_not_end_is_named(verify, output):
    (run_folder,) = (output / layout.RUNS).iterdir()
    (run_folder / "summary.json").unlink()
    (run_folder / "ledger/000001.jsonl").unlink()
    code, out, err = verify(output)
    assert (code, out.splitlines()[-1]) == (EXIT_OK, "9 pictures: 5 unaltered, 4 not ours")
    assert f"run {run_folder.name} has not ended" in err
    assert json.loads(verify(output, "--json")[1])["unfinished"] == [run_folder.name]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("in", "no run has written to"),
        ("nowhere", "there is no folder"),
        ("nowhere.png", "there is no picture 'nowhere.png'"),
        ("out/set9.png", "there is no picture 'set9.png'"),
        ("out/empty", "no picture lies under 'empty/'"),
    ],
)
def test_what_is_not_there_exits_2(verify, output, target, words):
    (output.parent / "in").mkdir()
    (output / "empty").mkdir()
    code, _, err = verify(output.parent / target)
    assert code == EXIT_USAGE
    assert words in err


def test_long_checks_show_how_far_they_are(verify, output, monkeypatch):
    assert verify(output)[2] == "", "short ones say nothing"
    monkeypatch.setattr("translate.cli.console.QUIET_S", 0.0)
    (output / "set0/0000.png").unlink()
    assert "verify: 9 of 9 pictures" in verify(output)[2]
    assert json.loads(verify(output, "--json")[2].splitlines()[-1])["progress"]["done"] == 9


def test_keys_cannot_command_the_terminal(verify, output):
    (output / "red\x1b[31m\n.png").write_bytes(picture(3))
    assert r"red\x1b[31m\n.png" in verify(output)[1]


@pytest.mark.s3
def test_bucket(verify, s3_server, registry):
    bucket = s3_server.make_bucket()
    source, output = (
        open_store(f"s3://{bucket}/{name}/", endpoint_url=s3_server.endpoint_url) for name in ("in", "deep/out")
    )
    fill(source, 4)
    translate(source, output, registry)
    flags = ("--endpoint-url", s3_server.endpoint_url)
    for target in ("deep/out", "deep/out/"):
        assert verify(f"s3://{bucket}/{target}", *flags)[:2] == (EXIT_OK, "4 pictures: 4 unaltered\n")
    assert verify(f"s3://{bucket}/deep/out/set0/", *flags)[:2] == (EXIT_OK, "2 pictures: 2 unaltered\n")
    key = next(iter(contents(output)))
    code, out, _ = verify(f"s3://{bucket}/deep/out/{key}", *flags)
    assert code == EXIT_OK
    assert f"{key}: unaltered" in out
    output.put(key, picture(5))
    assert verify(f"s3://{bucket}/deep/out/{key}", *flags)[0] == EXIT_ITEMS_FAILED
    assert verify(f"s3://{bucket}/deep/out/", *flags)[0] == EXIT_ITEMS_FAILED
    assert verify(f"s3://{bucket}", *flags)[0] == EXIT_USAGE
    assert verify(f"s3://{bucket}-none/out/", *flags)[0] == EXIT_STORAGE
