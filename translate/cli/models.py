"""`translate models`: which models there are, what one is, which one serves, and taking in those of other projects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from translate.cli import console
from translate.cli._comparison import compare
from translate.cli._export import export
from translate.cli._figures import figure
from translate.cli._options import AsJson, Registry
from translate.cli._serving import promote, prune, rollback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.models.bundle import Document
    from translate.registry import ModelRegistry, Published
    from translate.registry.evaluations import EvaluationRecord
    from translate.registry.pointers import Pointers

app = typer.Typer(no_args_is_help=True, help="Show, compare and import models, and say which version serves.")

SHOWN_MOVES = 10


@app.command("list")
def list_models(registry: Registry = None, as_json: AsJson = False) -> None:
    """The published models and the shipped ones."""
    from translate.registry import ModelRegistry

    models = ModelRegistry(registry)
    found = models.list()
    pointers, problems = _pointers(models, found)
    if as_json:
        for each in found:
            console.result_json({**_line(each), "pointer": pointers.get((each.name, each.version))})
    else:
        console.table(
            ["MODEL", "POINTER", "FROM", "TO", "ARCHITECTURE", "WHERE"],
            [_row(each, pointers.get((each.name, each.version), "")) for each in found],
        )
        problems += [f"{each.name}@{each.version}: {each.problem}" for each in found if each.problem]
    for words in problems:
        console.remark(console.json_line("warning", {"message": words}) if as_json else words)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version: the one that NAME means.")
    ],
    registry: Registry = None,
    as_json: AsJson = False,
) -> None:
    """One model: its facts, where it came from, what has served under its name, and its card."""
    from translate.registry import ModelRegistry

    models = ModelRegistry(registry)
    document = models.document(name)
    pointers = models.pointers(document.name)
    if as_json:
        evaluations = [each.model_dump(mode="json") for each in models.evaluations(document.reference)]
        console.result_json({"event": "model", **document.model_dump(mode="json"), "evaluations": evaluations,
                             "pointers": pointers.model_dump(mode="json", exclude={"schema_version", "writes"})})
        return
    scores = models.evaluations(document.reference)
    facts = [*_facts(document), *_scores(scores), *_history(document.name, pointers)]
    width = max(len(label) for label, _ in facts) + 2
    for label, value in facts:
        console.result(f"{label + ':':<{width}}{value}".rstrip())
    if "card.md" in document.files:
        console.result("\n" + models.file(document.reference, "card.md").decode().rstrip())


app.command()(compare)
app.command()(export)
app.command()(promote)
app.command()(rollback)
app.command()(prune)


@app.command("import")
def import_model(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Path or URL of a generator's .pth file, or of "
                                                         "ncnn's .param file with its .bin beside it.")],
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call it, e.g. horse2zebra.")],
    registry: Registry = None,
    dropout: Annotated[
        bool, typer.Option("--dropout", help="This U-Net was trained with dropout (its file does not say).")
    ] = False,
    keep_blocks: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Of ncnn's Real-ESRGAN: only these residual blocks, counted from 0; a "
                                             "thinner network to train on from."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish a generator of pytorch-CycleGAN-and-pix2pix or CUT, or ncnn's Real-ESRGAN, under a name.

    The architecture is inferred from the file. Code in the file is never run.
    """
    from translate.library import verbs
    from translate.registry import ModelRegistry

    reference = verbs.import_model(
        file, name, registry=registry, dropout=dropout, keep_blocks=_numbers(keep_blocks)
    )
    document = ModelRegistry(registry).document(reference)
    if as_json:
        console.result_json({"event": "model", **document.model_dump(mode="json")})
        return
    console.result(f"{reference}: {_brief(document)}")


def _numbers(text: str | None) -> list[int] | None:
    from translate.errors import UsageError

    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--keep-blocks {text!r} is not a list of numbers such as 0,4,8")
    return [int(word) for word in words]


def _line(each: Published) -> dict[str, Any]:
    facts = None if each.document is None else each.document.model_dump(mode="json")
    return {"event": "model", "model": f"{each.name}@{each.version}", "where": each.origin, "problem": each.problem,
            "facts": facts}


def _row(each: Published, pointer: str) -> list[str]:
    reference = f"{each.name}@{each.version}"
    if each.document is None:
        return [reference, pointer, "-", "-", "cannot be read", each.origin]
    domains = each.document.domains
    return [reference, pointer, domains.a, domains.b, _brief(each.document), each.origin]


def _pointers(models: ModelRegistry, found: list[Published]) -> tuple[dict[tuple[str, int], str], list[str]]:
    """What the versions serve as, and what is wrong with pointers."""
    from translate.errors import ModelError

    serving: dict[tuple[str, int], str] = {}
    problems = []
    for name in sorted({each.name for each in found}):
        try:
            pointers = models.pointers(name)
        except ModelError as error:
            problems.append(str(error))
            continue
        for word, version in (("previous", pointers.previous), ("champion", pointers.champion)):
            if version is not None:
                serving[name, version] = word
    return serving, problems


def _scores(evaluations: Sequence[EvaluationRecord]) -> list[tuple[str, object]]:
    """The newest evaluation, each figure beside what doing nothing scores."""
    if not evaluations:
        return []
    newest = evaluations[-1]
    how = (f"{newest.source_images} images of {newest.data} at {newest.size_px} px, judged by {newest.judge}; "
           f"{newest.when[:10]}")
    lines: list[tuple[str, object]] = [("evaluated", how)]
    for name, score in newest.scores.items():
        nothing = newest.nothing.get(name)
        beside = "" if nothing is None else f" (doing nothing: {figure(nothing.value, None)})"
        lines.append((f"  {name}", figure(score.value, score.spread) + beside))
    return lines


def _history(name: str, pointers: Pointers) -> list[tuple[str, object]]:
    """Champion and previous, and what has moved, the newest first."""
    if not pointers.moves:
        return [("champion", "none: no version has passed the gate yet")] if pointers.gated else []
    lines: list[tuple[str, object]] = [("champion", f"{name}@{pointers.champion}")]
    if pointers.previous is not None:
        lines.append(("previous", f"{name}@{pointers.previous}"))
    for move in reversed(pointers.moves[-SHOWN_MOVES:]):
        before = "" if move.from_version is None else f"{name}@{move.from_version} -> "
        why = f" ({move.why})" if move.why else ""
        lines.append((f"  {move.when[:19].replace('T', ' ')}", f"{before}{name}@{move.to_version}{why}, by {move.by}"))
    return lines


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
    return ", ".join([*parts, "no norm" if config.get("norm", "none") == "none" else f"{config['norm']} norm"])
