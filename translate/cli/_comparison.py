"""`translate models compare`: two versions side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console
from translate.cli._evaluation_set import HeldOutOf, Layout, Paired, Pairs, Source, Target, WorkingSize
from translate.cli._figures import better, figure
from translate.cli._options import EndpointUrl, Registry

if TYPE_CHECKING:
    from translate.metrics.evaluate import Evaluator
    from translate.registry import ModelRegistry
    from translate.registry.comparison import Comparison
    from translate.registry.evaluations import EvaluationRecord, Score

Reference = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A published model.")]


def compare(
    first: Reference,
    second: Reference,
    data: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Evaluate both now, on the same images of this set, instead of reading what "
                                         "is stored of them; as `translate evaluate` does."),
    ] = None,
    pipeline: HeldOutOf = None,
    layout: Layout = "folders",
    source: Source = None,
    target: Target = None,
    pairs: Pairs = None,
    paired: Paired = False,
    size: WorkingSize = None,
    endpoint_url: EndpointUrl = None,
    registry: Registry = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """What two versions scored on the same images, and what they were made with otherwise."""
    from translate.library.places import Places
    from translate.metrics.evaluate import Evaluator
    from translate.registry import ModelRegistry
    from translate.registry.comparison import compare as compare_models
    from translate.stores import open_input

    models = ModelRegistry(registry)
    scored = None
    if data is not None:
        store = open_input(data, endpoint_url=endpoint_url)
        # Resolved once: a pointer may move while the first one is evaluated.
        first, second = (models.document(each).reference for each in (first, second))
        places = Places(pipeline, layout, source, target, pairs, paired)
        images = places.list(store, models.document(first).domains)
        evaluator = Evaluator(store, images, size_px=places.size_px(size))
        scored = (_record(models, first, evaluator, as_json=as_json),
                  _record(models, second, evaluator, as_json=as_json))
    found = compare_models(models, first, second, scored)
    if as_json:
        pair = found.evaluations and [each.model_dump(mode="json") for each in found.evaluations]
        console.result_json({"event": "comparison", "models": found.models, "evaluations": pair,
                             "not_comparable": found.not_comparable, "settings": found.settings})
    else:
        _show(found)


def _record(models: ModelRegistry, reference: str, evaluator: Evaluator, *, as_json: bool) -> EvaluationRecord:
    from translate.metrics.record import record_of

    with console.progress(reference, as_json=as_json) as report:
        return record_of(evaluator.evaluate(models.load(reference), report))


def _show(found: Comparison) -> None:
    if found.evaluations is None:
        console.result("At least one of them has no stored evaluation; --data URL evaluates both.")
    else:
        one, other = found.evaluations
        measures = {**one.scores, **other.scores}
        console.table(["MEASURE", *found.models, "BETTER"],
                      [[name, _cell(one.scores.get(name)), _cell(other.scores.get(name)), better(name)]
                       for name in measures])
        console.result("")
        if found.not_comparable:
            console.result("These figures can't be compared; --data URL evaluates both on the same images:")
            for words in found.not_comparable:
                console.result(f"  {words}")
        else:
            judged = f", judged by {one.judge}" if one.judge else ""
            console.result(f"Both on the same {one.source_images} images at {one.size_px} px{judged}.")
    console.result("")
    if not found.settings:
        console.result("Nothing in how they were made differs.")
        return
    console.table(["DIFFERS", *found.models],
                  [[key, *(value or "-" for value in values)] for key, values in found.settings.items()])


def _cell(score: Score | None) -> str:
    return "" if score is None else figure(score.value, score.spread)
