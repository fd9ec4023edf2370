"""What a sweep promises besides the whole image's result, which is in tests/contract: threads, stops, faults."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from translate.config import Domains
from translate.engines import sweep
from translate.engines.padded import PaddedImage
from translate.engines.sweep import Sweep, reduced
from translate.errors import ModelError
from translate.images.tensors import crop_back, pad_to_multiple, to_tensor
from translate.models.contract import build, parse_config
from translate.models.moments import merge, moments
from translate.models.translator import ModelFacts, Translator
from translate.stores.patience import never


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(sweep, "PART_BYTES", 0)


def translator(network: nn.Module | None = None) -> Translator:
    name, config = parse_config("generator", {"architecture": "resnet", "width": 8, "blocks": 1}, "test")
    torch.manual_seed(0)
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(network or build("generator", name, config), facts)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_threads_change_no_bit(precision):
    made, x, before = Sweep(translator(), precision), torch.rand(1, 3, 90, 100), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(made.translate(x, never))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def in_new_thread(do):
    with ThreadPoolExecutor(1, "new") as thread:
        return thread.submit(do).result()


def test_a_part_keeps_to_one_thread_whatever_others_set_meanwhile():
    before, seen = torch.get_num_threads(), []

    def stopped():
        in_new_thread(lambda: torch.set_num_threads(3))
        if threading.current_thread().name.startswith("part"):
            seen.append(torch.get_num_threads())
        return False

    try:
        Sweep(translator(), "float32").translate(torch.rand(1, 3, 40, 40), stopped)
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_threads_begun_after_a_sweep_are_not_kept_to_one_core():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        Sweep(translator(), "float32").translate(torch.rand(1, 3, 40, 40), never)
        assert in_new_thread(torch.get_num_threads) == 2
    finally:
        torch.set_num_threads(before)


def test_a_stop_is_heard_between_parts():
    asked = iter([False] * 5)
    assert Sweep(translator(), "float32").translate(torch.rand(1, 3, 90, 100), lambda: next(asked, True)) is None


def test_a_fault_of_who_takes_the_parts_ends_it():
    taken = []

    def write(*part):
        taken.append(part)
        raise OSError("no room")

    made = translator()
    with pytest.raises(OSError, match="no room"):
        Sweep(made, "float32").run(PaddedImage(torch.rand(1, 3, 600, 600), made), write, never)
    assert 0 < len(taken) < 100, "of some 400 parts"


@pytest.mark.parametrize("layer", [
    nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 4, padding=2), nn.ConvTranspose2d(3, 3, 3, stride=2),
    nn.Conv2d(3, 3, 3, padding="same"), nn.Conv2d(3, 3, (3, 1), padding=(1, 0)),
], ids=str)
def test_what_cannot_be_done_in_parts_is_named(layer):
    with pytest.raises(ModelError, match=r"'resnet' cannot be translated in parts: of '_?0'.*--size"):
        Sweep(translator(nn.Sequential(layer, nn.Tanh())), "float32")


def test_a_network_whose_way_depends_on_its_input_is_named():
    class Choosing(nn.Module):
        def forward(self, x):
            return torch.tanh(x) if x.mean() > 0 else x

    with pytest.raises(ModelError, match=r"cannot be translated in parts: of 'forward'"):
        Sweep(translator(Choosing()), "float32")


def test_moments_are_those_of_the_whole_far_from_zero():
    """In float32 sums of squares would lose all digits of this variance."""
    x = (torch.randn(1, 3, 200, 700, dtype=torch.float64) * 0.1 + 1000).float()
    count, mean, squares = merge(moments(x[..., cut]) for cut in (slice(0, 99), slice(99, 700)))
    assert count == 200 * 700
    np.testing.assert_allclose(mean, x.double().mean(dim=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(squares / count, x.double().var(dim=(0, 2, 3), correction=0), rtol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(37, 5), (1, 1), (40, 48)])
def test_a_padded_image_is_read_as_it_would_be_padded(height, width):
    made = translator()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    x = to_tensor(pixels)[None]
    whole, _ = pad_to_multiple(x, made.multiple, made.minimum_px)
    for image in (PaddedImage(pixels, made), PaddedImage(x, made)):
        assert image.size == tuple(whole.shape[2:])
        assert torch.equal(image.read(slice(0, image.size[0]), slice(1, image.size[1])), whole[..., 1:])
        assert torch.equal(crop_back(whole, image.crop), x)


@pytest.mark.parametrize(("height", "width"), [(1100, 1300), (20, 16000), (15000, 130)])
def test_a_copy_for_statistics_is_small_and_from_everywhere(height, width):
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 255 / height, columns * 255 / width, rows % 2 * 255.0], axis=-1).astype(np.uint8)
    copy = reduced(pixels, height * width // 6)
    assert 0 < copy.shape[0] * copy.shape[1] <= height * width // 6
    assert np.abs(copy.mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))).max() < 10
    assert np.array_equal(reduced(pixels), pixels), "what is small enough is itself"
