"""The runbook speaks of what there is: every exit code and every code of an image, and only metrics that are served."""

import re

from manifests import FOLDER

from translate import errors
from translate.batch.meter import Measured
from translate.cli._prometheus import text

RUNBOOK = (FOLDER / "RUNBOOK.md").read_text()


def rows(heading):
    """First cells of the tables below a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", RUNBOOK, re.DOTALL | re.MULTILINE)[1]
    return [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][1:]


def test_every_exit_code_has_its_row():
    codes = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    told = {int(code) for row in rows("By exit code") for code in re.findall(r"\d+", row)}
    assert told - {137} == codes, "137 is nobody's own: whoever was killed"


def test_every_code_of_an_image_has_its_row():
    known = set(re.findall(r"``((?:input|output|store|signer)\.[a-z_]+)``", errors.ItemError.__doc__))
    told = {code for row in rows("Images that fail") for code in re.findall(r"`([a-z_.]+)`", row)}
    assert told == known - {"output.exists"}, "that one is not a failure"


def test_every_metric_is_one_that_is_served():
    now = Measured(planned=1, images={("ok", ""): 1}, stage_s={"get": 1.0}, read_bytes=1, written_bytes=1, workers=1,
                   last_success_s=1.0)
    served = set(re.findall(r"^# TYPE (\S+)", text(now), re.MULTILINE))
    told = {metric for row in rows("By alert") for metric in re.findall(r"translate_[a-z_]+", row)}
    assert told
    assert told <= served
