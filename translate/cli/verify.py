"""`translate verify`: what made a picture, and whether outputs are as their runs wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console

if TYPE_CHECKING:
    from collections import Counter

    from translate.images.credentials import Credentials
    from translate.inspection.verify import Records, Verified
    from translate.stores.contract import ObjectStore

_WORDS = {"not_ours": "not ours"}


def verify(
    target: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE|PREFIX|RUN", help="Path or URL of a picture, of an output or its part, or of one run in it."
        ),
    ],
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL", help="Where S3 is spoken, if not at AWS.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Say what made a picture, or check every picture of an output, or of one run, against the runs' records.

    A picture says of itself which model made it, from which source and by which work. Whether it is unaltered
    is known where the run's records are, in the folder or prefix that it lies in, and elsewhere if it is signed
    (TRANSLATE_C2PA_TRUST_ANCHORS names a PEM file of the authorities whose signers you trust).

    Exit codes: 0 all is well, 2 usage, 3 altered, unmarked or missing pictures, 4 storage.
    """
    from translate.errors import UsageError
    from translate.inspection.status import locate
    from translate.inspection.verify import output_above
    from translate.stores import open_store

    url = open_store(target, endpoint_url=endpoint_url).url.removesuffix("/")
    if not target.endswith("/") and _is_picture(url, endpoint_url):
        _verify_picture(url, endpoint_url, as_json=as_json)
        return
    place, run = locate(url, endpoint_url)
    if run:
        _verify_output(place, "", run, as_json=as_json)
        return
    output = output_above(url, endpoint_url)
    if output is None:
        raise UsageError(f"no run has written to {target!r}: expected a picture, or an output of `translate run` "
                         "with its _translate/ folder")
    _verify_output(*output, "", as_json=as_json)


def _is_picture(url: str, endpoint_url: str | None) -> bool:
    """Whether this is one object, by its name or because it is there."""
    from translate.errors import NotFoundError
    from translate.images.codec import has_image_extension
    from translate.stores import open_store

    folder, _, name = url.rpartition("/")
    if not name or "/" not in url.rpartition("://")[2]:  # a bucket
        return False
    if has_image_extension(name):
        return True
    try:
        open_store(folder + "/", endpoint_url=endpoint_url).head(name)
    except NotFoundError:
        return False
    return True


def _verify_picture(url: str, endpoint_url: str | None, *, as_json: bool) -> None:
    from dataclasses import asdict

    from translate.errors import EXIT_ITEMS_FAILED
    from translate.inspection.verify import FAULTS, output_above, read_records, verify_one
    from translate.stores import open_store

    folder, _, key = url.rpartition("/")
    store, recorded = open_store(folder + "/", endpoint_url=endpoint_url), None
    if output := output_above(folder, endpoint_url):
        store, inner = output
        key = f"{inner}/{key}".lstrip("/")
        with console.slow_progress("verify", as_json=as_json) as listener:
            recorded = read_records(store, key, listener).outputs.get(key)
    found = verify_one(store, key, recorded)
    if as_json:
        console.result_json({"event": "verify", "picture": url, **asdict(found)})
    else:
        _show(found)
    if found.state in (*FAULTS, "not_ours"):
        raise typer.Exit(EXIT_ITEMS_FAILED)


def _show(found: Verified) -> None:
    from translate.pages.template import readable

    console.result(f"{readable(found.key)}: {_state(found)}")
    lines: list[tuple[str, str]] = []
    if found.mark:
        lines += [
            ("made by", f"model {found.mark.model}, {found.mark.model_digest}"),
            ("from", found.mark.source_digest),
            ("work", found.mark.work_digest),
        ]
    if found.credentials:
        lines.append(("signed", _signed(found.credentials)))
    if found.recorded:
        lines += [("source", found.recorded.source), ("run", found.recorded.run)]
    for label, value in lines:
        console.result(f"  {label + ':':<9}{readable(value)}")


def _signed(credentials: Credentials) -> str:
    by = f"by {credentials.signed_by}" if credentials.signer else ""
    return "; ".join(filter(None, (by, credentials.fault)))


def _verify_output(store: ObjectStore, inner: str, run: str, *, as_json: bool) -> None:
    from collections import Counter
    from dataclasses import asdict

    from translate.errors import EXIT_ITEMS_FAILED, UsageError
    from translate.inspection.verify import FAULTS, read_records, verify

    counts: Counter[str] = Counter()
    signers: Counter[str] = Counter()
    findings: list[Verified] = []
    prefix = inner and inner + "/"
    with console.slow_progress("verify", as_json=as_json) as listener:
        records = read_records(store, prefix, listener, only_run=run)
        for found in verify(store, prefix, records, listener, recorded_only=bool(run)):
            counts[found.state] += 1
            if found.credentials:
                signers[_signed(found.credentials)] += 1
            if found.state != "unaltered":
                findings.append(found)
    if prefix and not counts:
        raise UsageError(f"no picture lies under {prefix!r} in {store.url}, and no run has written one there")
    if as_json:
        console.result_json({"event": "verify", "output": store.url, "prefix": prefix, "counts": counts,
                             "signers": signers, "unfinished": records.unfinished, "replaced": records.replaced,
                             "findings": [asdict(found) for found in findings]})
    else:
        _show_output(findings, counts, signers, records)
    if any(counts[state] for state in FAULTS):
        raise typer.Exit(EXIT_ITEMS_FAILED)


def _show_output(findings: list[Verified], counts: Counter[str], signers: Counter[str], records: Records) -> None:
    from translate.inspection.verify import STATES
    from translate.pages.template import readable

    if findings:
        rows = [[readable(each.key), _WORDS.get(each.state, each.state), readable(each.why)] for each in findings]
        console.table(["PICTURE", "STATE", "WHY"], rows)
    total = ", ".join(f"{counts[state]:,} {_WORDS.get(state, state)}" for state in STATES if counts[state])
    console.result(f"{counts.total():,} pictures: {total}" if total else "no pictures")
    for words, count in signers.most_common():
        console.result(f"{count:,} signed {readable(words)}")
    if records.replaced:
        console.remark(f"{records.replaced:,} of what this run wrote, later runs wrote anew; not looked at")
    for run in records.unfinished:
        console.remark(f"run {run} has not ended: it was stopped, or is at work. Pictures that it wrote and has not "
                       "recorded yet are among those called altered or not ours; the same `translate run` command goes "
                       "on with it and records them")


def _state(found: Verified) -> str:
    word = _WORDS.get(found.state, found.state)
    return f"{word}; {found.why}" if found.why else word
