"""Pipelines that retrain in seconds: waves to their negatives, in pairs."""

from training_set import picture, png

from translate.config import Domains, Pipeline, validate
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts

NEGATIVE = {
    "name": "negative",
    "summary": "Colours to their inverse.",
    "domains": {"a": "wave", "b": "inverse"},
    "training": {
        "objective": {"name": "pix2pix", "l1_weight": 100.0},
        "generator": {"architecture": "resnet", "width": 8, "blocks": 1},
        "discriminator": {"architecture": "patchgan", "width": 4, "layers": 1},
        "data": {"kind": "paired", "a": "a", "b": "b", "short_side_px": [32, 32], "crop_px": 32},
        "images": 200,
        "batch": 4,
        "learning_rate": 2.0e-3,
        "ema_half_life_images": 50,
        "precision": "float32",
    },
    "retraining": {
        "new_images": 5,
        "holdout": {"share": 0.3},
        "gate": {"margins": {"kid": 0.1, "checkerboard_db": 6.0, "luma_correlation": 0.1, "edge_agreement": 0.1}},
    },
}
"""A training that ends with negatives: 4 s of a processor."""


def pipeline(training=None, retraining=None, **changes):
    """`NEGATIVE` with changes."""
    values = {**NEGATIVE, **changes}
    values["training"] = {**values["training"], **(training or {})}
    values["retraining"] = {**values["retraining"], **(retraining or {})}
    return validate(Pipeline, values, "negative.yaml")


def still():
    """The same without learning anything: what comes out is what it began from, to the eye."""
    return pipeline({"images": 4, "learning_rate": 1e-9, "ema_half_life_images": 1_000_000})


def fill(store, indices, target=lambda pixels: 255 - pixels):
    """Put pairs into the folders a and b."""
    for i in indices:
        pixels = picture(i, 32)
        store.put(f"a/{i}.png", png(pixels))
        store.put(f"b/{i}.png", png(target(pixels)))


def publish_random(registry, name="negative"):
    """Publish a generator with random weights, as `NEGATIVE` would train it."""
    architecture, config = parse_config("generator", NEGATIVE["training"]["generator"], "m")
    facts = ModelFacts(name=name, architecture=architecture, config=config.model_dump(),
                       domains=Domains(a="wave", b="inverse"))
    return registry.publish(name, build("generator", architecture, config), facts, {})
