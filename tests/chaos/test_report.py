"""What a report says of sound and of broken seeds."""

from __future__ import annotations

import json

from tests.chaos import report, schedule
from tests.chaos.trial import Start, Trial


def trial(seed, **changes):
    made = Trial(schedule.make(seed, 100), [Start(-9, 3.0, "gone"), Start(0, 5.0, "fine")], 70, {"reset": 2})
    return Trial(**{**vars(made), "kills": ["driver"], **changes})


def test_sound_seeds(tmp_path):
    report.write(tmp_path / "r.md", [trial(0), trial(1)], 100)
    page = (tmp_path / "r.md").read_text()
    assert "**All 2 seeds are sound**" in page
    assert "faults 4 reset; kills 2 driver" in page
    assert "| 1 | ray | 70 | 2 reset | driver | -9 0 | 0 | none |" in page
    first, second = json.loads((tmp_path / "r.json").read_text())["trials"]
    assert first["schedule"]["faults"]["rates"] == schedule.make(0, 100).faults.rates
    assert [start["stderr"] for start in second["starts"]] == ["gone", ""]


def test_a_broken_seed_is_told_first_and_in_words():
    broken = trial(3, violations=[f"'{i}.png' has no terminal state" for i in range(12)])
    page = report.markdown([trial(2), broken], 100)
    assert "**1 of 2 seeds broke an invariant.**" in page
    assert "sound" not in page
    assert "## Seed 3, ray" in page
    assert "- '0.png' has no terminal state\n" in page
    assert "- and 2 more" in page
    assert "exit -9 after 3.0 s:\n```\ngone\n```" in page
    assert broken.line().startswith("seed 3 ray: 12 VIOLATIONS; 70 requests, faults reset:2; kills driver; exits -9 0")
