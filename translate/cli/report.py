"""`translate report`: a run's page, written anew from what the run recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from translate.cli import console
from translate.cli._options import EndpointUrl, InputEndpointUrl


def report(
    url: Annotated[
        str, typer.Argument(metavar="RUN_URL|OUTPUT", help="A run's folder, or an output: then its newest run.")
    ],
    endpoint_url: EndpointUrl = None,
    input_endpoint_url: InputEndpointUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Write a run's page anew from what it has recorded, also while it runs or if it was stopped.

    The pictures are read again; those that were changed since, or can't be had, are left out.

    Exit codes: 0 fine, 2 no such run, 4 storage.
    """
    from translate.inspection.report import rewrite_page
    from translate.inspection.status import locate, newest_run, read_status
    from translate.pages.template import readable
    from translate.records.layout import report_key
    from translate.stores import open_store

    store, run = locate(url, endpoint_url)
    run = run or newest_run(store)
    with console.slow_progress("report", as_json=as_json) as listener:
        status = read_status(store, run, listener)
        source = open_store(
            status.record.input_url, endpoint_url=endpoint_url if input_endpoint_url is None else input_endpoint_url
        )
        pictures = rewrite_page(status, source, store, listener)
    place = f"{store.url.rstrip('/')}/{report_key(run)}"
    if as_json:
        console.result_json(
            {"event": "report", "run": run, "state": status.state, "report_url": place, "pictures": pictures}
        )
        return
    console.result(f"report: {readable(place)}")
    if status.totals.ok and not pictures:
        console.remark(f"without pictures: those in {readable(source.url)} were changed, or can't be read from here")
