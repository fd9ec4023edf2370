"""The evaluation with the real judge, on small drawings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from translate.config import Domains
from translate.errors import DataError, ModelError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.metrics.evaluate import evaluate
from translate.models import resnet
from translate.models.translator import ModelFacts, Translator
from translate.stores import open_store

COUNT = 5


def drawing(index, *, shaded):
    """A disc or a box in one of a few colours, flat or shaded."""
    rows, columns = np.mgrid[:64, :64] - 31.5
    radius = 14 + 3 * index
    inside = (np.hypot(rows, columns) < radius) if index % 2 else (np.maximum(abs(rows), abs(columns)) < radius)
    colour = np.array([(230, 60, 50), (40, 90, 220), (250, 200, 40), (60, 170, 80), (150, 60, 190)][index])
    light = np.clip(1.1 - np.hypot(rows + 14, columns + 14) / 70, 0.4, 1.1) if shaded else np.ones((64, 64))
    pixels = np.full((64, 64, 3), 255.0)
    pixels[inside] = np.clip(light[inside][:, None] * colour, 0, 255)
    return pixels.astype(np.uint8)


def filled(name, order):
    store = open_store(f"memory://evaluate-{name}")
    for index in range(COUNT):
        for folder, shaded in (("flat", False), ("solid", True)):
            png = encode(Picture(drawing(index, shaded=shaded), None, "png"), "png", 100)
            store.put(f"{folder}/{order[index]}.png", png)
    return store


@pytest.fixture(scope="module")
def store():
    return filled("straight", range(COUNT))


def translator(*, identity=False, broken=False):
    """Untrained; ``identity``: a head of zeros whose output is added to the input."""
    config = resnet.Config(width=4, blocks=1, residual_output=identity)
    torch.manual_seed(0)
    network = resnet.Network(config)
    with torch.no_grad():
        for parameter in network.parameters():
            if identity or broken:
                parameter.fill_(math.nan if broken else 0.0)
    domains = Domains(a="flat drawing", b="solid drawing")
    return Translator(network, ModelFacts(name="tested", architecture="resnet", config=config.model_dump(),
                                          domains=domains))


def test_a_translator_that_does_nothing_scores_what_doing_nothing_scores(store):
    found = evaluate(translator(identity=True), store, source="flat", target="solid", pairs=True, size_px=64)
    assert found.output.means.keys() == found.nothing.means.keys()
    assert found.output.means == pytest.approx(found.nothing.means, abs=1e-4)
    assert found.output.kid.value == pytest.approx(found.nothing.kid.value, abs=1e-5)
    assert found.nothing.means["distance_to_source"] == 0
    flat, solid = (np.stack([drawing(i, shaded=s) for i in range(COUNT)]) / 255.0 for s in (False, True))
    assert found.nothing.means["l1"] == pytest.approx(abs(flat - solid).mean(), abs=1e-6)
    psnr = -10 * np.log10(((flat - solid) ** 2).mean(axis=(1, 2, 3)))
    assert found.nothing.means["psnr_db"] == pytest.approx(psnr.mean(), abs=1e-3)


def test_the_answer_itself_is_perfect(store):
    found = evaluate(translator(identity=True), store, source="solid", target="solid", pairs=True, size_px=64)
    means = found.nothing.means
    assert (means["l1"], means["layer_distance"]) == (0, 0)
    assert means["psnr_db"] == math.inf
    assert means["ssim"] == pytest.approx(1)


def test_untrained_is_worse_and_order_and_names_do_not_matter(store):
    found = evaluate(translator(), store, source="flat", target="solid", pairs=True, size_px=64)
    assert found.output.kid.value > found.nothing.kid.value
    assert found.output.means["layer_distance"] > found.nothing.means["layer_distance"]
    other = evaluate(translator(), filled("mixed", [3, 0, 4, 1, 2]), source="flat", target="solid", pairs=True,
                     size_px=64)
    assert other.output.kid == found.output.kid
    assert other.floor == found.floor
    assert other.output.means == pytest.approx(found.output.means, rel=1e-12)


def test_unpaired_with_other_real_images(store):
    seen = []
    found = evaluate(translator(), store, source="flat", target="solid", pairs=False, size_px=64, real="flat",
                     report=seen.append)
    assert set(found.output.means) == {"edge_agreement", "distance_to_source", "checkerboard_db"}
    assert found.real_kid == pytest.approx(found.nothing.kid.value)
    assert (seen[-1].done, seen[-1].total) == (3 * COUNT, 3 * COUNT)


def test_mistakes_are_named(store):
    with pytest.raises(ModelError, match=r"not finite for flat/0\.png"):
        evaluate(translator(broken=True), store, source="flat", target="solid", pairs=True, size_px=64)
    lonely = filled("lonely", range(COUNT))
    lonely.delete("solid/2.png")
    with pytest.raises(DataError, match="1 images of flat and solid have no partner of the same name: 2"):
        evaluate(translator(), lonely, source="flat", target="solid", pairs=True, size_px=64)
    for index in (0, 1):
        lonely.delete(f"solid/{index}.png")
    with pytest.raises(DataError, match="solid holds 2 images; an evaluation needs at least 4"):
        evaluate(translator(), lonely, source="flat", target="solid", pairs=False, size_px=64)
