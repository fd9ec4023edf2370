"""`translate models promote`, `rollback` and `prune`: which version serves, and which may go."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console
from translate.cli._options import AsJson, Registry, bounds

if TYPE_CHECKING:
    from translate.registry.pointers import Pointers

Why = Annotated[str, typer.Option(metavar="TEXT", help="The reason; it stays in the history.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model, without a version.")]


def promote(
    reference: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="The version that a bare NAME shall mean.")],
    why: Why = "",
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """Make a version the champion: what a bare NAME means, from the next run on.

    It is loaded first, digest and all. Of two promotions at once one wins; the other ends with 5 and changes nothing.
    """
    from translate.registry import ModelRegistry

    models = ModelRegistry(registry)
    name = reference.partition("@")[0]
    before = models.pointers(name)
    after = models.promote(reference, expected=before, why=why)
    _tell(name, after, moved=after.writes > before.writes, as_json=as_json)


def rollback(name: Name, why: Why = "", registry: Registry = None, as_json: AsJson = False) -> None:
    """Make the previous champion the champion again; a second rollback undoes the first."""
    from translate.registry import ModelRegistry

    after = ModelRegistry(registry).rollback(name, why)
    _tell(name, after, moved=True, as_json=as_json)


def prune(
    name: Name,
    keep: Annotated[
        int, typer.Option(callback=bounds(1), metavar="N", help="So many of the newest versions stay.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """Delete old versions for good, but never champion, previous, or a shipped one.

    It shows them and asks; where nobody can answer it wants --yes.
    """
    from translate.errors import UsageError
    from translate.registry import ModelRegistry

    models = ModelRegistry(registry)
    models.document(name)  # a name that is mistyped is an error, not nothing to do
    versions = models.prunable(name, keep)
    listed = [f"{name}@{version}" for version in versions]
    if not versions or dry_run:
        _tell_pruned(listed, "would delete", as_json=as_json)
        return
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(f"this would delete {', '.join(listed)} in {models.url} for good; add --yes if it shall")
        if not typer.confirm(f"Delete {', '.join(listed)} in {models.url} for good?"):
            raise typer.Exit
    models.prune(name, versions)
    _tell_pruned(listed, "deleted", as_json=as_json)


def _tell(name: str, now: Pointers, *, moved: bool, as_json: bool) -> None:
    champion, previous = (None if each is None else f"{name}@{each}" for each in (now.champion, now.previous))
    if as_json:
        console.result_json({"event": "champion", "champion": champion, "previous": previous, "moved": moved})
    elif not moved:
        console.result(f"{champion} is the champion already")
    else:
        back = f"; {previous} was it before, and translate models rollback {name} brings it back" if previous else ""
        console.result(f"{champion} is the champion now{back}")


def _tell_pruned(listed: list[str], did: str, *, as_json: bool) -> None:
    if as_json:
        console.result_json({"event": "pruned", "deleted": did == "deleted", "models": listed})
    else:
        console.result(f"{did} {', '.join(listed)}" if listed else "nothing to delete")
