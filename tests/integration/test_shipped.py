"""What is shipped works and keeps to its limits: models, samples, and what their cards promise."""

import re

import numpy as np
import pytest
import torch

from translate.config import load_pipeline, pipeline_names
from translate.datasets.folder import image_keys, read_pixels
from translate.engines.torch import TorchEngine
from translate.images.resize import resize, short_side
from translate.images.tensors import to_pixels, to_tensor
from translate.registry import ModelRegistry
from translate.shipped import shipped_folder
from translate.stores import open_store

WITH_MODEL = [name for name in pipeline_names() if load_pipeline(name).model is not None]
PAINTERLY = ["monet2photo", "photo2monet"]


@pytest.fixture
def registry(tmp_path):
    return ModelRegistry(str(tmp_path))


def samples(pipeline, size):
    store = open_store(str(shipped_folder("samples")))
    for key in image_keys(store, pipeline.samples).values():
        pixels = read_pixels(store, key)
        yield to_tensor(resize(pixels, *short_side(pixels.shape[0], pixels.shape[1], size)))[None]


def luma(x):
    return np.asarray(to_pixels(x[0]), dtype=np.float64).mean(axis=2).ravel()


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_weights_stay_small():
    weights = shipped_folder("models").rglob("*.safetensors")
    assert sum(path.stat().st_size for path in weights) < 40e6


def test_the_samples_stay_small_and_say_whose_they_are():
    folder = shipped_folder("samples")
    assert size_of(folder) < 4e6
    attribution = (folder / "ATTRIBUTION.md").read_text()
    assert all(f"`{path.name}/`" in attribution for path in folder.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", WITH_MODEL)
def test_every_named_model_is_there_with_its_card(name, registry):
    pipeline = load_pipeline(name)
    translator = registry.load(pipeline.model)
    assert translator.facts.domains == pipeline.domains
    assert translator.facts.provenance["images_seen"] > 0
    card = registry.file(pipeline.model, "card.md").decode()
    for picture in re.findall(r"\]\((\S+\.(?:png|jpg))\)", card):
        assert len(registry.file(pipeline.model, picture)) > 1000


@pytest.mark.parametrize("name", WITH_MODEL)
def test_bfloat16_stays_within_40_db_of_float32(name, registry):
    pipeline = load_pipeline(name)
    x = next(samples(pipeline, 128))
    translator = registry.load(pipeline.model)
    with torch.inference_mode():
        exact = translator(x)
    found = TorchEngine(translator, device="cpu", precision="bfloat16").translate(x)
    mse = ((found - exact) / 2).square().mean()
    assert -10 * torch.log10(mse) >= 40


@pytest.mark.parametrize("name", PAINTERLY)
def test_a_painting_keeps_the_scene_and_changes_the_surface(name, registry):
    pipeline = load_pipeline(name)
    translator = registry.load(pipeline.model)
    for x in samples(pipeline, 192):
        with torch.inference_mode():
            y = translator(x)
        assert np.corrcoef(luma(x), luma(y))[0, 1] > 0.6  # neither inverted nor blank
        assert (x - y).abs().mean() > 0.03  # and not the identity


def test_a_sketch_becomes_coloured(registry):
    pipeline = load_pipeline("sketch2object")
    translator = registry.load(pipeline.model)
    for x in samples(pipeline, 128):
        with torch.inference_mode():
            y = translator(x)
        assert (x.amax(1) - x.amin(1)).max() < 0.05  # black and white
        assert (y.amax(1) - y.amin(1)).max() > 0.5
