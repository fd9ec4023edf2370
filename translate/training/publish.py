"""From a finished training to models in the registry, each with a card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

import translate
from translate.config import Domains
from translate.images.codec import encode
from translate.metrics.record import record_of
from translate.models.bundle import pack_weights, weights_digest
from translate.models.translator import ModelFacts
from translate.registry.comparison import PIPELINE_FILE
from translate.training.roles import ROLES_FILE, pack_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.config import Pipeline
    from translate.metrics.evaluate import Evaluation
    from translate.registry import ModelRegistry
    from translate.training.loop import Trained


def publish(trained: Trained, pipeline: Pipeline, registry: ModelRegistry, name: str, data_url: str) -> list[str]:
    """Publish the averaged generator of every direction; ``name`` is the forward one's, see `model_names`.

    Returns ``name@version`` of each.
    """
    names = model_names(trained.directions, pipeline, name)
    return [publish_direction(trained, role, pipeline, registry, chosen, data_url) for role, chosen in names.items()]


def model_names(directions: Mapping[str, tuple[str, str]], pipeline: Pipeline, name: str) -> dict[str, str]:
    """What the model of each role is called.

    ``name`` is the forward one's; the other direction of a game that trains both is called
    ``pipeline.reverse_model``, or ``<name>-reverse``.
    """
    reverse = pipeline.reverse_model or f"{name}-reverse"
    return {role: name if source == "a" else reverse for role, (source, _) in directions.items()}


def publish_direction(
    trained: Trained,
    role: str,
    pipeline: Pipeline,
    registry: ModelRegistry,
    name: str,
    data_url: str,
    more: Mapping[str, Any] | None = None,
) -> str:
    """Publish the averaged generator of one direction; beside it all roles of its game, its pipeline, and its figures.

    ``more`` is added to its provenance. Returns ``name@version``: the one that is there, if the same weights were
    published under this name by the same training before.
    """
    assert pipeline.training is not None
    source, target = trained.directions[role]
    words = {"a": pipeline.domains.a, "b": pipeline.domains.b}
    facts = ModelFacts(
        name=name,
        architecture=trained.architecture,
        config=trained.configs[role].model_dump(mode="json"),
        domains=Domains(a=words[source], b=words[target]),
        size=pipeline.run.size,
        provenance={
            "code": translate.__version__,
            "torch": torch.__version__,
            "pipeline": pipeline.name,
            "pipeline_digest": pipeline.digest,
            "training_digest": trained.config_digest,
            "role": role,
            "data": data_url,
            "data_digest": trained.data_digest,
            "data_summary": trained.data,
            "images_seen": trained.seen,
            "chosen_by": trained.chosen_by,
            "parent": trained.parent,
            "parent_digest": trained.parent_digest,
            "seconds": round(trained.seconds),
            "precision": trained.precision,
            "seed": pipeline.training.seed,
            **(more or {}),
        },
    )
    weights = pipeline.training.weights
    digest = weights_digest(pack_weights(trained.generators[role], facts, weights))
    kept = ("training_digest", *(more or {}))
    there = registry.find(name, lambda model: model.digest == digest and all(
        model.provenance.get(key) == facts.provenance[key] for key in kept))
    if there is not None:
        return there
    files = {"card.md": _card(facts, trained).encode(), "card.jpg": encode(trained.sheets[role], "jpeg", 90),
             PIPELINE_FILE: json.dumps(pipeline.model_dump(mode="json"), indent=1).encode(),
             ROLES_FILE: pack_roles(trained.networks, weights)}
    if role in trained.evaluations:
        scored = record_of(trained.evaluations[role])
        files[scored.key] = scored.data_bytes
    return registry.publish(name, trained.generators[role], facts, files, dtype=weights)


def _card(facts: ModelFacts, trained: Trained) -> str:
    parameters = sum(p.numel() for p in trained.generators[facts.provenance["role"]].parameters())
    return f"""# {facts.name}

Translates *{facts.domains.a}* into *{facts.domains.b}*.

![inputs above, translations below](card.jpg)

| | |
|---|---|
| architecture | {facts.architecture}, {parameters:,} parameters |
| data | {facts.provenance["data_summary"]} |
| trained | {trained.seen:,} images; the training took {trained.seconds / 60:.0f} minutes, {trained.precision} |
| weights | {trained.chosen_by} |
| pipeline | {facts.provenance["pipeline"]}, `{facts.provenance["pipeline_digest"]}` |

{_scored(trained.evaluations.get(facts.provenance["role"]))}
"""


def _scored(found: Evaluation | None) -> str:
    if found is None:
        return "Not yet evaluated on held-out images: `translate evaluate` does that."
    distances = {name: f"{value.value:.4f} ± {value.spread:.4f}" for name, value in found.output.distances.items()}
    nothing = {name: f"{value.value:.4f}" for name, value in found.nothing.distances.items()}
    distances |= {name: f"{value:.4f}" for name, value in found.output.means.items()}
    nothing |= {name: f"{value:.4f}" for name, value in found.nothing.means.items()}
    rows = "\n".join(f"| {name} | {value} | {nothing[name]} |" for name, value in distances.items())
    return (f"On {found.source_images} held-out images at {found.size_px} px, judged by {found.judge}:\n\n"
            f"| measure | this model | doing nothing |\n|---|---|---|\n{rows}")
