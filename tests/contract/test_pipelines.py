"""Every shipped pipeline that trains, at a tiny size: its YAML, its data layout and its game fit together."""

import json

import numpy as np
import pytest
import torch
from training_set import picture, png

from translate.config import load_pipeline, pipeline_names
from translate.datasets.classic import PAIRED, SETS, UNPAIRED
from translate.stores import open_store
from translate.training.loop import train
from translate.training.resolve import resolve_training

pytestmark = pytest.mark.usefixtures("one_thread")

TRAINED = [name for name in pipeline_names() if load_pipeline(name).training is not None]
CLASSIC = {
    "horse2zebra": "horse2zebra", "monet2photo_full": "monet2photo", "vangogh2photo": "vangogh2photo",
    "summer2winter": "summer2winter_yosemite", "facades": "facades", "maps": "maps", "cityscapes": "cityscapes",
    "edges2shoes": "edges2shoes", "edges2handbags": "edges2handbags",
}
"""Pipeline -> the archive that it is trained on."""


@pytest.mark.parametrize("name", TRAINED)
def test_it_takes_one_step(name):
    architecture = load_pipeline(name).training.generator["architecture"]
    tiny = {"resnet": "blocks=1", "rrdb": "blocks=1", "unet": "levels=4"}[architecture]
    overrides = [f"train.generator.{tiny}", "train.generator.width=4", "train.discriminator.width=4",
                 "train.data.crop_px=32", "train.data.short_side_px=[36, 36]", "train.precision=float32"]
    training = resolve_training(name, overrides, None).training
    training = training.model_copy(update={"images": training.batch})
    data, output = open_store(f"memory://step-{name}/data/"), open_store(f"memory://step-{name}/out/")
    for place in places(training.data):
        for i in range(2):
            image = picture(i, 40)
            data.put(f"{place}/{i}.png", png(np.hstack([image, 255 - image]) if training.data.pairs else image))

    trained = train(training, data, output)

    assert trained.seen == training.batch
    losses = json.loads(output.get("status.jsonl").data)
    assert losses["rate"] > 0
    assert all(np.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(p).all() for network in trained.generators.values() for p in network.parameters())


@pytest.mark.parametrize(("name", "archive"), CLASSIC.items())
def test_its_places_are_those_of_the_archive(name, archive):
    data = load_pipeline(name).training.data
    kind = SETS[archive]
    assert set(places(data)) <= set(kind.folders)
    assert kind == (UNPAIRED if data.kind == "unpaired" else PAIRED)


def places(data):
    if data.pairs:
        return [data.pairs, data.test_pairs]
    return [place for place in (data.a, data.b, data.answers_a, data.answers_b, data.test_a, data.test_b) if place]
