"""`translate models`: which models there are, what one is, and taking in those of other projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console

if TYPE_CHECKING:
    from translate.models.bundle import Document
    from translate.registry import Published

app = typer.Typer(no_args_is_help=True, help="Show and import models.")

AsJson = Annotated[bool, typer.Option("--json", help="Lines of JSON.")]
Registry = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where models are published; else TRANSLATE_REGISTRY, else ./models."),
]


@app.command("list")
def list_models(registry: Registry = None, as_json: AsJson = False) -> None:
    """The published models and the shipped ones."""
    from translate.registry import ModelRegistry

    found = ModelRegistry(registry).list()
    if as_json:
        for each in found:
            console.result_json(_line(each))
        return
    console.table(
        ["MODEL", "FROM", "TO", "ARCHITECTURE", "WHERE"],
        [_row(each) for each in found],
    )
    for each in found:
        if each.problem:
            console.remark(f"{each.name}@{each.version}: {each.problem}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version: the newest.")],
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """One model: its facts, where it came from, and its card."""
    from translate.registry import ModelRegistry

    models = ModelRegistry(registry)
    document = models.document(name)
    if as_json:
        console.result_json({"event": "model", **document.model_dump(mode="json")})
        return
    facts = _facts(document)
    width = max(len(label) for label, _ in facts) + 2
    for label, value in facts:
        console.result(f"{label + ':':<{width}}{value}".rstrip())
    if "card.md" in document.files:
        console.result("\n" + models.file(document.reference, "card.md").decode().rstrip())


@app.command("import")
def import_model(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Path or URL of a generator's .pth file.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it, e.g. horse2zebra.")],
    registry: Registry = None,
    dropout: Annotated[
        bool, typer.Option("--dropout", help="This U-Net was trained with dropout (its file does not say).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish a generator of pytorch-CycleGAN-and-pix2pix or CUT under a name.

    The architecture is inferred from the file. Code in the file is never run.
    """
    from translate.registry import ModelRegistry, import_foreign

    reference = import_foreign(file, name, registry_url=registry, dropout=dropout)
    document = ModelRegistry(registry).document(reference)
    if as_json:
        console.result_json({"event": "model", **document.model_dump(mode="json")})
        return
    console.result(f"{reference}: {_brief(document)}")


def _line(each: Published) -> dict[str, Any]:
    facts = None if each.document is None else each.document.model_dump(mode="json")
    return {"event": "model", "model": f"{each.name}@{each.version}", "where": each.origin, "problem": each.problem,
            "facts": facts}


def _row(each: Published) -> list[str]:
    reference = f"{each.name}@{each.version}"
    if each.document is None:
        return [reference, "-", "-", "cannot be read", each.origin]
    domains = each.document.domains
    return [reference, domains.a, domains.b, _brief(each.document), each.origin]


def _facts(document: Document) -> list[tuple[str, object]]:
    provenance = document.provenance.items()
    return [
        ("model", document.reference),
        ("from", document.domains.a),
        ("to", document.domains.b),
        ("architecture", document.architecture),
        *((f"  {key}", value) for key, value in document.config.items()),
        ("weights", f"{document.weights_dtype}, {document.digest}"),
        ("provenance", "" if provenance else "unknown"),
        *((f"  {key}", value) for key, value in provenance),
    ]


def _brief(document: Document) -> str:
    """E.g. ``resnet, width 64, 9 blocks``."""
    config = document.config
    parts = [document.architecture, f"width {config['width']}"]
    parts += [f"{config[key]} {key}" for key in ("blocks", "levels") if key in config]
    parts += [str(config["sampling"])] if config.get("sampling", "plain") != "plain" else []
    return ", ".join([*parts, f"{config['norm']} norm" if config["norm"] != "none" else "no norm"])
