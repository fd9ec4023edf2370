"""From a finished training to models in the registry, each with a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

import translate
from translate.config import Domains, digest
from translate.images.codec import encode
from translate.models.translator import ModelFacts
from translate.training.roles import ROLES_FILE, pack_roles

if TYPE_CHECKING:
    from translate.config import Pipeline
    from translate.registry import ModelRegistry
    from translate.training.loop import Trained


def publish(trained: Trained, pipeline: Pipeline, registry: ModelRegistry, name: str, data_url: str) -> list[str]:
    """Publish the averaged generator of every direction, each with all roles of its game.

    ``name`` is the forward one's; the other direction of a game that trains both is called
    ``pipeline.reverse_model``, or ``<name>-reverse``.
    Returns ``name@version`` of each.
    """
    assert pipeline.training is not None
    published = []
    roles = pack_roles(trained.networks, pipeline.training.weights)
    for role, (source, target) in trained.directions.items():
        chosen = name if source == "a" else pipeline.reverse_model or f"{name}-reverse"
        words = {"a": pipeline.domains.a, "b": pipeline.domains.b}
        facts = ModelFacts(
            name=chosen,
            architecture=trained.architecture,
            config=trained.configs[role].model_dump(mode="json"),
            domains=Domains(a=words[source], b=words[target]),
            provenance={
                "code": translate.__version__,
                "torch": torch.__version__,
                "pipeline": pipeline.name,
                "pipeline_digest": digest(pipeline.model_dump(mode="json")),
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
            },
        )
        files = {"card.md": _card(facts, trained).encode(), "card.jpg": encode(trained.sheets[role], "jpeg", 90),
                 ROLES_FILE: roles}
        published.append(registry.publish(chosen, trained.generators[role], facts, files,
                                          dtype=pipeline.training.weights))
    return published


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
