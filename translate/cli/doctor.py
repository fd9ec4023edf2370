"""`translate doctor`: whether this machine, its packages and a store are fit for the work."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.doctor.finding import Finding
    from translate.stores.contract import ObjectStore

_ADVICE = {
    True: "check whose credentials are used here (AWS_ACCESS_KEY_ID, AWS_PROFILE; of a folder its owner) and their "
          "rights: list, get and put",
    False: "check --store, --endpoint-url and the network",
}
"""About a store of no use; by whether it has refused the credentials."""


def doctor(
    store: Annotated[
        str | None, typer.Option(metavar="URL", help="Try this place too, with an object that is removed again.")
    ] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")] = None,
    registry: Annotated[
        str | None, typer.Option(help="Where models are; default TRANSLATE_REGISTRY, ./models.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Look at versions, processor, memory, models, the signer and, with --store, at what a store really does.

    Each line is ok, a warning (slower, or less protected) or a problem, with what to do about it.

    Exit codes: 0 no problem, 2 usage, 3 a problem was found, 4 the store can't be reached or refuses the credentials.
    """
    from translate.doctor.finding import Finding
    from translate.errors import EXIT_ITEMS_FAILED, AccessError, StoreError
    from translate.stores import open_input

    place = None if store is None else open_input(store, endpoint_url=endpoint_url)
    found: list[Finding] = []
    unreachable: StoreError | None = None
    try:
        for finding in _look(place, registry):
            found.append(finding)
            if not as_json:
                _show(finding)
    except StoreError as error:
        unreachable = error
        found.append(Finding("problem", "store", str(error), _ADVICE[isinstance(error, AccessError)]))
        if not as_json:
            _show(found[-1])
    counts = {level: sum(each.level == level for each in found) for level in ("ok", "warning", "problem")}
    if as_json:
        console.result_json({"event": "doctor", "findings": [asdict(each) for each in found], "counts": counts})
    else:
        console.result(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['problem']} problems")
    if unreachable is not None:
        raise unreachable
    if counts["problem"]:
        raise typer.Exit(EXIT_ITEMS_FAILED)


def _look(place: ObjectStore | None, registry: str | None) -> Iterator[Finding]:
    """Everything, the quick first; what cannot be imported is named before it is needed."""
    from translate.doctor.packages import packages

    found = list(packages())
    yield from found
    if not any(each.level == "problem" and each.what == "torch" for each in found):
        from translate.doctor import models
        from translate.doctor.machine import machine
        from translate.doctor.signer import signer

        yield from machine()
        yield signer()
        yield models.shipped()
        yield from models.registry(registry)
    if place is not None:
        from translate.doctor.store import probe

        yield from probe(place)


def _show(finding: Finding) -> None:
    from translate.pages.template import readable

    console.result(f"{finding.level:<9}{finding.what:<17}{readable(finding.found)}")
    if finding.do:
        console.result(f"{'':<26}-> {readable(finding.do)}")
