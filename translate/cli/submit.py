"""`translate submit`: have a run done on a Ray cluster, and follow it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERB = "run"


def submit(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(metavar="-- run ...", help="The command, as it would be given here.")],
    address: Annotated[str, typer.Option(help="Of the cluster's dashboard: http://HEAD:8265.")],
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Also give the job this variable of the environment (repeatable). Ray keeps "
                                          "and shows it: settings, not secrets."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-wait", help="Show what the job writes, and exit as it does; or leave it.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Lines of JSON instead of words; also of the job.")] = False,
) -> None:
    """Have a run done on a running Ray cluster, with this program's code.

    A YAML, list of keys or .pth below the working folder goes along. One job at a time for an output.

    Exit codes: those of the run; 2 also if no cluster answers, 4 if it was lost, 5 if a job is at this output already.
    """
    from translate.batch.remote import connect
    from translate.cli._secrets import redact

    asked = _parsed(context, command)
    output = _place(asked)
    environment = _environment(env or ())
    files = _files(command)
    cluster = connect(address)
    flags = [*(["--executor", "ray"] if asked["executor"].value == "auto" else []), *(["--json"] if as_json else [])]
    job = cluster.submit([*command, *flags], output=output, files=files, environment=environment)
    place = redact(address)
    if as_json:
        console.result_json({"event": "submitted", "job": job, "address": place, "output": output})
    else:
        console.result(f"job {job} at {place}")
    if not follow:
        return
    try:
        code = cluster.follow(job, _show_json if as_json else console.result)
    except (KeyboardInterrupt, SystemExit):
        words = f"job {job} goes on; to stop it: ray job stop --address {place} {job}"
        console.remark(console.json_line("left", {"job": job, "message": words}) if as_json else words)
        raise
    if as_json:
        console.result_json({"event": "job_ended", "job": job, "exit_code": code})
    raise typer.Exit(code)


def _parsed(context: typer.Context, command: Sequence[str]) -> dict[str, Any]:
    """The run's own arguments: mistakes in them end here, not on the cluster."""
    from translate.cli._secrets import redact
    from translate.errors import UsageError

    if command[0] != VERB:
        raise UsageError(f"submit sends `translate run`; got {command[0]!r}. Write it after --: translate submit "
                         "--address http://HEAD:8265 -- run --pipeline NAME --input URL --output URL")
    for word in command:
        if redact(word) != word:
            raise UsageError(f"{redact(word)!r} holds a user, password or secret, and Ray keeps and shows commands; "
                             "give the cluster's machines their credentials, see the README")
    verbs: Any = context.find_root().command
    with verbs.commands[VERB].make_context(VERB, list(command[1:])) as parsed:
        return dict(parsed.params)


def _place(asked: Mapping[str, Any]) -> str:
    """Where the run writes, as its lease names it; every place has to mean the same on each machine."""
    from translate.errors import UsageError
    from translate.stores import open_store

    places = {"--input": asked["source"], "--output": asked["output"] or "", "--registry": asked["registry"]}
    for flag, given in places.items():
        if given is not None and "://" not in given and not Path(given).is_absolute():
            raise UsageError(f"{f'{flag} {given}'.rstrip()} would be a folder of one job on one machine; give a URL, "
                             "or the whole path of a folder that all machines of the cluster have")
    endpoint = asked["output_endpoint_url"] or asked["endpoint_url"] or ""
    return open_store(asked["output"]).url + (f" at {endpoint}" if endpoint else "")


def _files(command: Sequence[str]) -> list[str]:
    """What is named in the command and is a file below the working folder."""
    words = [word.partition("=")[2] if word.startswith("--") and "=" in word else word for word in command[1:]]
    # Path.is_file raises OSError for a word too long to be a name.
    paths = {Path(os.path.normpath(word)) for word in words if os.path.isfile(word)}  # noqa: PTH113
    return sorted(str(path) for path in paths if not path.is_absolute() and path.parts[0] != "..")


def _environment(names: Sequence[str]) -> dict[str, str]:
    """Values of the variables that are to go along."""
    from translate.cli._secrets import SECRETS, redact
    from translate.errors import UsageError

    for name in names:
        if name in SECRETS or redact(value := os.environ.get(name, "")) != value:
            raise UsageError(f"--env {name} would be shown by Ray to whoever may look at the cluster; give its "
                             "machines their credentials: a role, a mounted secret, or their own environment")
        if name not in os.environ:
            raise UsageError(f"--env {name}: there is no such variable in this environment")
    return {name: os.environ[name] for name in names}


LOG_EVENTS = ("progress", "log", "warning", "metrics", "error")
"""What a command writes to stderr; Ray keeps both streams as one."""


def _show_json(line: str) -> None:
    """A line of the job, on the stream that it was written to; Ray's own become events of the log."""
    import json

    try:
        event = json.loads(line)["event"]
    except (json.JSONDecodeError, TypeError, KeyError):
        console.remark(console.json_line("log", {"level": "info", "logger": "ray", "message": line, "more": 0}))
        return
    if event in LOG_EVENTS:
        console.remark(line)
    else:
        typer.echo(line)
