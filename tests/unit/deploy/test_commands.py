"""Every `translate` in manifests and in the runbook is a command that there is, with flags that it has."""

import json

import pytest
import typer
from manifests import commands, jobs, parse
from ray.dashboard.modules.job.cli import job_cli_group

COMMANDS = list(commands())


def test_commands_are_found_everywhere():
    places = {where.split()[0] for where, _ in COMMANDS}
    assert places >= {"compose.yaml", "batch-rayjob.yaml", "train-rayjob.yaml", "retrain-rayjob.yaml", "RUNBOOK.md",
                      "translate-watch.service", "translate-retrain.service", "raycluster.yaml", "ray-cluster.yaml"}


@pytest.mark.parametrize("words", [words for _, words in COMMANDS],
                         ids=[f"{where}: {' '.join(words[:3])}" for where, words in COMMANDS])
def test_a_command_is_one_that_there_is(words):
    parse([word.removeprefix("/opt/translate/bin/") for word in words])


@pytest.mark.parametrize("words", [words for _, words in jobs()], ids=[where for where, _ in jobs()])
def test_ray_knows_the_options_of_a_job(words):
    with job_cli_group.commands["submit"].make_context("submit", words[3:]) as context:
        assert json.loads(context.params["runtime_env_json"])["env_vars"]
        assert context.params["entrypoint"] == tuple(words[words.index("--") + 1:])


@pytest.mark.parametrize("words", [["translate", "run", "--no-such-flag"], ["translate", "fly"]])
def test_one_that_there_is_not_is_found(words):
    usage_error = typer.BadParameter.__base__  # of typer's own copy of click, which is not public
    with pytest.raises((usage_error, AssertionError)):
        parse(words)
