"""From a finished training to models in the registry, each with a card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

import translate
from translate.config import Domains
from translate.images.codec import encode
from translate.models.translator import ModelFacts
from translate.training.roles import ROLES_FILE, pack_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.config import Pipeline
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
    """Publish the averaged generator of one direction, with all roles of its game beside it.

    ``more`` is added to its provenance. Returns ``name@version``.
    """
    assert pipeline.training is not None
    source, target = trained.directions[role]
    words = {"a": pipeline.domains.a, "b": pipeline.domains.b}
    facts = ModelFacts(
        name=name,
        architecture=trained.architecture,
        config=trained.configs[role].model_dump(mode="json"),
        domains=Domains(a=words[source], b=words[target]),
        provenance={
            "code": translate.__version__,
            "torch": torch.__version__,
            "pipeline": pipeline.name,
            "pipeline_digest": pipeline.digest,
            "training_digest": trained.config_digest,
            "role": role,
            "data": data_url,
            "data_summary": trained.data,
            "images_seen": trained.seen,
            "chosen_by": trained.chosen_by,
            "parent": trained.parent,
            "seconds": round(trained.seconds),
            "precision": trained.precision,
            "seed": pipeline.training.seed,
            **(more or {}),
        },
    )
    weights = pipeline.training.weights
    files = {"card.md": _card(facts, trained).encode(), "card.jpg": encode(trained.sheets[role], "jpeg", 90),
             ROLES_FILE: pack_roles(trained.networks, weights)}
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

Not yet evaluated on held-out images: `translate evaluate` does that.
"""
