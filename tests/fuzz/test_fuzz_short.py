"""The short form of the fuzzing: 20 seconds each. The long one is `make fuzz`."""

from __future__ import annotations

import random

import pytest

from tests.fuzz import decoder, keys
from tests.fuzz.child import answer
from tests.fuzz.corpus import corpus
from tests.fuzz.mutate import mutate

SECONDS = 20


def test_every_file_of_the_corpus_ends_as_it_should():
    outcomes = {name: answer(data)["outcome"] for name, data in corpus().items()}
    bad = {"bomb": "input.too_large", "text": "input.not_an_image", "tiff float": "input.unsupported_mode",
           "tiff F": "input.unsupported_mode", "tiff LAB": "input.unsupported_mode"}
    assert outcomes == {name: bad.get(name, "ok") for name in outcomes}


def test_a_seed_gives_the_same_files_again():
    seeds = list(corpus().values())
    assert len({mutate(random.Random(f"1:{i}"), seeds) for i in range(50)}) > 40
    assert [mutate(random.Random(f"1:{i}"), seeds) for i in range(50)] == [
        mutate(random.Random(f"1:{i}"), seeds) for i in range(50)]


def test_decoder(tmp_path):
    found = decoder.fuzz(SECONDS, 1, tmp_path / "found")
    assert found.findings == []
    assert found.inputs > 20
    assert found.outcomes["ok"]
    assert found.outcomes["input.truncated"]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("raise KeyError('nobody expects it')", "nobody expects it"),
        ("import os; os.kill(os.getpid(), 11)", "ended with -11"),
        ("import time; time.sleep(600)", "no answer within"),
        ("deliver = bytearray(400 << 20)", "MB of memory"),
        ("deliver = bytearray(4 << 30)", "MemoryError"),
        ("end = time.process_time() + 1\n    while time.process_time() < end: pass", "of processor time"),
    ],
)
def test_what_goes_wrong_is_found_and_its_input_saved(tmp_path, monkeypatch, harm, words):
    """The child's decoder is broken on purpose."""
    monkeypatch.setattr(decoder, "HANG_S", 20.0)
    monkeypatch.setattr(decoder, "SLOW_CPU_S", 0.9)
    program = ("import time\nfrom tests.fuzz import child\ndef broken(data):\n    if not data: return 'ok'\n"
               f"    {harm}\n    return 'ok'\nchild.outcome_of = broken\nchild.main()")
    monkeypatch.setattr(decoder, "CHILD", ("-c", program))
    found = decoder.fuzz(0.1, 1, tmp_path / "found")
    assert words in found.findings[0]
    assert len(list((tmp_path / "found").iterdir())) == len(found.findings)


@pytest.mark.s3
def test_keys(s3_server):
    found = keys.fuzz(SECONDS, 1, s3_server)
    assert found.findings == []
    assert found.keys > found.refused > 0


def test_a_store_that_leaves_its_folder_is_found(monkeypatch):
    monkeypatch.setattr("translate.stores.file._refusal", lambda _key: None)
    with pytest.raises(AssertionError, match="outside of the folder"):
        keys.check_folder([("../x.png", b"1")], keys.Fuzzed())
