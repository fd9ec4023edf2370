"""Mistakes that need no model are told before PyTorch is loaded, which takes seconds."""

import json
import subprocess
import sys

import pytest
from jobs import make_job

from translate.batch.run import prepare
from translate.errors import EXIT_USAGE, NotFoundError
from translate.stores.file import FileStore

PROGRAM = """
import json, sys
from translate.cli.app import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["translate", "run", *arguments]
    try:
        main()
    except SystemExit as ended:
        print(ended.code, "torch" in sys.modules)
"""


def test_no_mistake_in_places_and_options_waits_for_pytorch(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    shipped, given = ["--pipeline", "monet2photo"], ["--input", str(tmp_path / "in")]
    mistakes = [
        [],
        ["--pipeline", "monet2foto"],
        [*shipped, "--input", str(tmp_path / "inn")],
        [*shipped, *given, "--output", str(tmp_path / "file")],
        [*shipped, *given, "--output", str(tmp_path / "in/out")],
        [*shipped, *given, "--size", "3"],
        [*shipped, *given, "--workers", "0"],
        [*shipped, *given, "--keys", str(tmp_path / "keys.txt")],
        [*shipped, *given, "--executor", "local", "--workers", "2"],
        [*shipped, *given, "--executor", "local", "--gpus-per-worker", "1"],
    ]
    command = [sys.executable, "-c", PROGRAM, json.dumps(mistakes)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.split("\n")[:-1] == [f"{EXIT_USAGE} False"] * len(mistakes), ended.stderr


class Nowhere(FileStore):
    """A bucket that is not there."""

    def list(self, *_, **__):
        raise NotFoundError("there is no bucket 'nowhere'")
        yield


def test_a_bucket_that_is_not_there_is_told_before_the_model_is_looked_for(tmp_path):
    job = make_job(Nowhere(tmp_path / "in"), FileStore(tmp_path / "out"), str(tmp_path), model="neither")
    with pytest.raises(NotFoundError, match="no bucket"):
        prepare(job)
