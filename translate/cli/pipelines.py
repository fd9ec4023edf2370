"""`translate pipelines`: which named translations there are, and what one says."""

from __future__ import annotations

from typing import Annotated

import typer

from translate.cli import console
from translate.cli._options import AsJson

app = typer.Typer(no_args_is_help=True, help="Show the named translations.")


@app.command("list")
def list_pipelines(as_json: AsJson = False) -> None:
    """The shipped pipelines: name, domains, model and what each does."""
    from translate.config import load_pipeline, pipeline_names

    found = [load_pipeline(name) for name in pipeline_names()]
    if as_json:
        for pipeline in found:
            console.result_json({"event": "pipeline", **pipeline.model_dump(mode="json")})
        return
    console.table(
        ["NAME", "FROM", "TO", "MODEL", "SUMMARY"],
        [[p.name, p.domains.a, p.domains.b, p.model or "-", p.summary] for p in found],
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A shipped name, or the path of a YAML file.")],
    as_json: AsJson = False,
) -> None:
    """One pipeline in full, defaults too, as YAML that can be saved, changed and run; and its digest."""
    from translate.config import load_pipeline
    from translate.metrics.contract import gated
    from translate.yaml_text import write_yaml

    pipeline = load_pipeline(name)
    values = pipeline.model_dump(mode="json")
    gate = values["retraining"]["gate"]
    gate["margins"] = {each.name: each.margin for each in gated()} | gate["margins"]
    if as_json:
        console.result_json({"event": "pipeline", "digest": pipeline.digest, "pipeline": values})
        return
    console.result(f"# digest: {pipeline.digest}")
    console.result(write_yaml(values).rstrip())
