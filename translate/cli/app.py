"""The `translate` command: finds the verbs, and turns every ending into a message and an exit code.

A verb is a file beside this one. It holds either a function of the file's name (``translate run``:
``run.run``) or a typer ``app`` with commands of its own (``translate models list``: ``models.app``). Verbs
import only the standard library and typer at the top, so that ``--help`` is quick.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
import tempfile
import traceback
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from translate import __version__, lookup
from translate.cli import _log, console
from translate.cli._secrets import redact
from translate.errors import (
    EXIT_BROKEN_PIPE,
    EXIT_INTERNAL,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_TERMINATED,
    TranslateError,
    UsageError,
)

if TYPE_CHECKING:
    from types import FrameType, TracebackType

NOT_VERBS = {"app", "console"}
_ARGUMENTS = cast("Any", typer.BadParameter.__mro__[1])
"""Every mistake in the arguments; typer itself gives only this kind of it a public name."""


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"translate {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    """Image-to-image translation, from bucket to bucket.

    Start with: translate run --pipeline monet2photo
    """
    del version


def build_app() -> typer.Typer:
    """The command with every verb that has a file in this folder."""
    root = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    root.callback()(_root)
    for name in lookup.names("translate.cli"):
        if name in NOT_VERBS:
            continue
        verb = lookup.load("translate.cli", name, "verb")
        if hasattr(verb, "app"):
            root.add_typer(verb.app, name=name)
        else:
            root.command(name)(getattr(verb, name))
    return root


def main() -> None:
    """Run the command line and exit. 0 fine, 1 our bug, 2 usage; the rest stands in `translate.errors`.

    ``TRANSLATE_TRACEBACK=1`` shows tracebacks; with ``--json`` errors are one JSON line on stderr.
    """
    signal.signal(signal.SIGTERM, _terminate)
    sys.excepthook = _unexpected
    try:
        with _log.shown(as_json=_wants_json()):
            _call()
    except KeyboardInterrupt:  # before the command runs; from then on typer ends it the same way
        raise SystemExit(EXIT_INTERRUPTED) from None
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer ends it quietly, but as a fault of ours
            raise SystemExit(EXIT_BROKEN_PIPE) from None
        raise
    except TranslateError as error:
        if _wants_traceback():
            _show_traceback(error)
        _complain(type(error).__name__, str(error), error.exit_code)
        raise SystemExit(error.exit_code) from None


def _call() -> NoReturn:
    """Read the arguments and call the verb; with ``--json`` a mistake in them is an event, not a box of text."""
    command = typer.main.get_command(build_app())
    _fill_lines(command)
    if not _wants_json():
        command(prog_name="translate")
    try:
        code = command.main(prog_name="translate", standalone_mode=False)
    except _ARGUMENTS as error:
        raise UsageError(error.format_message()) from error
    raise SystemExit(code or EXIT_OK)


def _fill_lines(command: Any) -> None:  # noqa: ANN401 - typer's own copy of click has no public types
    """Have a terminal break the lines of help texts, not the source; paragraphs stay."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for each in getattr(command, "commands", {}).values():
        _fill_lines(each)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM unwinds the stack like Ctrl-C does. Work that can stop gently sets its own handler."""
    del number, frame
    raise SystemExit(EXIT_TERMINATED)


def _unexpected(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Python's last resort for an exception that nobody caught: our bug. Python itself then exits with 1."""
    if _wants_traceback():
        _show_traceback(error)
        return
    handle, name = tempfile.mkstemp(prefix="translate-traceback-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(_traceback(error))
    _complain(
        kind.__name__,
        f"unexpected {kind.__name__}: {error}\nThis is a fault of the program. The traceback is in {name}; "
        "TRANSLATE_TRACEBACK=1 shows it here.",
        EXIT_INTERNAL,
    )


def _complain(kind: str, message: str, exit_code: int) -> None:
    message = redact(message)
    if _wants_json():
        error = {"kind": kind, "message": message, "exit_code": exit_code}
        console.remark(console.json_line("error", {"error": error}))
    else:
        console.remark(typer.style("error: ", fg=typer.colors.RED, bold=True) + message)


def _show_traceback(error: BaseException) -> None:
    console.remark(_traceback(error).rstrip())


def _traceback(error: BaseException) -> str:
    return redact("".join(traceback.format_exception(error)))


def _wants_json() -> bool:
    return "--json" in sys.argv


def _wants_traceback() -> bool:
    return os.environ.get("TRANSLATE_TRACEBACK", "") not in ("", "0")
