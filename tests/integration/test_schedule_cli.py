"""`translate schedule` as a process: signals, a rival, failures that it outlives, `--once`."""

from __future__ import annotations

import json
import os
import signal
from functools import partial

import pytest
import yaml
from training_set import WAVES, fill

from translate.errors import EXIT_INTERRUPTED, EXIT_LOCKED, EXIT_OK, EXIT_TERMINATED, EXIT_USAGE
from translate.records.holding import hold
from translate.records.lease import look
from translate.stores import open_store


@pytest.fixture
def places(tmp_path):
    """A set of 40 pictures a side, and a pipeline that is due every minute."""
    fill(open_store(str(tmp_path / "set")), 40)
    values = {**WAVES, "retraining": {"schedule": "* * * * *", "holdout": {"share": 0.3}, "gate": {"subsets": 8}}}
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


@pytest.fixture
def schedule(start, places):
    """`translate schedule`, begun."""
    def begin(*flags, data="set"):
        return start("-m", "translate", "schedule", "--pipeline", "waves.yaml", "--data", data, "--registry", "models",
                     "--output", "out", *flags, cwd=places, env={**os.environ, "OMP_NUM_THREADS": "1"})

    return begin


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, EXIT_TERMINATED), (signal.SIGINT, EXIT_INTERRUPTED)])
def test_a_failure_does_not_end_it_and_a_signal_does(schedule, number, code):
    running = schedule("--json", data="nowhere")
    warning = json.loads(running.wait_for('"warning"'))
    assert warning["kind"] == "UsageError"
    assert "there is no folder 'nowhere'" in warning["message"]
    assert warning["then"].startswith("looking again at 20")
    found, out, err = running.end(number)
    assert found == code, err
    assert json.loads(out)["event"] == "scheduled"
    assert "Traceback" not in err


def test_who_comes_second_waits_and_with_once_exits_5(schedule, places):
    output = open_store(str(places / "out"))
    with hold(output, "other", look(output)):
        once, waiting = schedule("--once"), schedule()
        code, _, err = once.end()
        assert code == EXIT_LOCKED
        assert "run other, by" in err
        waiting.wait_for("looking again at")
        code, out, err = waiting.end(signal.SIGTERM)
    assert (code, out) == (EXIT_TERMINATED, "")
    assert err.startswith("retraining waves when it is due")
    assert "run other, by" in err


def test_mistakes_end_it_before_it_begins(command, places):
    given = partial(command, "schedule", "--data", places / "set")
    code, _, err = given("--pipeline", "monet2photo")
    assert code == EXIT_USAGE
    assert "never due: give it a schedule" in err
    code, _, err = given("--pipeline", places / "waves.yaml", "--output", "")
    assert code == EXIT_USAGE
    assert "--output is empty" in err
    code, _, err = given("--once", "--pipeline", places / "waves.yaml", "--registry", places / "models", "--output",
                         places / "out", "--data", places / "nowhere")
    assert code == EXIT_USAGE
    assert "there is no folder" in err


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_two_at_once_a_stop_and_the_next_goes_on_with_the_same_retraining(schedule, places):
    first = schedule("--json")
    first.wait_for('"progress"')  # it trains
    first.send(signal.SIGSTOP)  # so that it has not ended when the other looks
    code, _, err = schedule("--once").end()
    assert code == EXIT_LOCKED, err
    first.send(signal.SIGTERM)
    code, out, _ = first.end(signal.SIGCONT)
    assert code == EXIT_TERMINATED
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["scheduled"], "it had not ended yet"
    code, out, err = schedule("--once", "--json").end()
    assert code == EXIT_OK, err
    (outcome,) = (json.loads(line) for line in out.splitlines())
    assert (outcome["event"], outcome["due"]) == ("retraining", None)
    assert [path.name for path in (places / "out" / "retrainings").iterdir()] == [outcome["retraining"]]
    assert outcome["state"] in ("kept", "promoted")
