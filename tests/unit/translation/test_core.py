"""The core: sizes, alpha, invalid outputs, pictures in parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from translate.config import Domains
from translate.engines.torch import TorchEngine
from translate.errors import ItemError
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator
from translate.provenance import Sizes, Work
from translate.stores.patience import never
from translate.translation.core import Core

WORK = Work(
    model="t", model_digest="", size="native", format="keep", quality=92, pixels="exact", engine="torch-float32"
)
COMPAT = WORK.model_copy(update={"pixels": "compat"})
SIZES = Sizes(whole_px=2**20, sweep_bytes=None)


def translated(picture, engine, work, sizes, stopped=never):
    return Core(engine, work, sizes).translate(picture, stopped)


class Shift(nn.Module):
    """A stand-in network whose output is known: adds a constant, and remembers the shapes it saw."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))
        self.seen: list[tuple[int, ...]] = []

    def __deepcopy__(self, memo):
        del memo
        return self

    def forward(self, x):
        self.seen.append(tuple(x.shape))
        return x + self.by


def engine_of(network: nn.Module, **config) -> TorchEngine:
    values = {"width": 4, "blocks": 1, **config}
    facts = ModelFacts(name="t", architecture="resnet", config=values, domains=Domains(a="a", b="b"))
    return TorchEngine(Translator(network, facts), precision="float32")


class Whole(nn.Module):
    """Looks at the whole image in a way that nobody knows."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, x):
        return torch.flip(x, dims=(2,)) + self.by


def tiny_translator() -> Translator:
    """Drawn by lot; with instance norms, so that every pixel depends on all others."""
    name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1}, "t")
    torch.manual_seed(0)
    network = build("generator", name, config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, 0.0, 1.5 / parameter[0].numel() ** 0.5)
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(network, facts)


def random_picture(height: int, width: int, alpha: bool = False) -> Picture:
    rng = np.random.default_rng(height * width)
    pixels = rng.integers(0, 200, (height, width, 3), dtype=np.uint8)
    return Picture(pixels, rng.integers(0, 255, (height, width), dtype=np.uint8) if alpha else None, "png")


@pytest.mark.parametrize(("height", "width"), [(24, 32), (1, 1), (1, 400), (23, 17)])
def test_size_aspect_and_alpha_stay(height, width):
    before = random_picture(height, width, alpha=True)
    after = translated(before, engine_of(Shift(8 / 127.5)), WORK, SIZES)
    assert after.pixels.shape == before.pixels.shape
    assert np.array_equal(after.pixels.astype(int), before.pixels.astype(int) + 8)
    assert np.array_equal(after.alpha, before.alpha)


def test_the_working_size_is_what_the_network_sees():
    network = Shift(0.0)
    work = WORK.model_copy(update={"size": 16})
    after = translated(random_picture(64, 96), engine_of(network), work, SIZES)
    assert network.seen == [(1, 3, 16, 24)]
    assert after.pixels.shape == (64, 96, 3)
    translated(random_picture(12, 20), engine_of(network), work, SIZES)
    assert network.seen[-1] == (1, 3, 12, 20), "smaller pictures are left as they are"


@pytest.mark.parametrize(("precision", "nearly_all"), [("float32", 1), ("bfloat16", 12)])
def test_large_pictures_are_translated_in_parts_and_look_the_same(precision, nearly_all):
    engine = TorchEngine(tiny_translator(), precision=precision)
    before = random_picture(90, 130, alpha=True)
    whole = translated(before, engine, WORK, SIZES)
    swept = translated(before, engine, WORK, Sizes(whole_px=90 * 130 - 1, sweep_bytes=2**31))
    near = translated(before, engine, WORK, Sizes(whole_px=50, sweep_bytes=2**30))
    assert (whole.notes, swept.notes, near.notes) == ((), ("in_parts",), ("approximate",))
    assert np.array_equal(swept.alpha, before.alpha)
    assert np.abs(swept.pixels.astype(int) - whole.pixels).max() <= nearly_all
    assert np.ptp(whole.pixels) > 100


def test_what_is_in_parts_can_be_stopped():
    engine = TorchEngine(tiny_translator(), precision="float32")
    asked = iter([False, False, True])
    small = Sizes(whole_px=1, sweep_bytes=None)
    assert translated(random_picture(64, 64), engine, WORK, small, lambda: next(asked, True)) is None


def test_an_architecture_that_is_of_one_piece_is_refused_when_it_is_too_large():
    small = Sizes(whole_px=1, sweep_bytes=None)
    with pytest.raises(ItemError, match=r"input.too_large.*'resnet' cannot be translated in parts.*--size"):
        translated(random_picture(64, 64), engine_of(Whole(0.0)), WORK, small)


def test_what_a_gpu_has_no_memory_for_costs_that_image_and_not_the_run():
    class Greedy(Shift):
        def forward(self, x):
            del x
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ItemError, match=r"input.too_large.*32 x 24 pixels need more memory .*--size"):
        translated(random_picture(24, 32), engine_of(Greedy(0.0)), WORK, SIZES)


@pytest.mark.parametrize("by", [float("nan"), 5.0])
def test_an_output_that_cannot_be_is_refused(by):
    with pytest.raises(ItemError, match=r"output.invalid"):
        translated(random_picture(24, 32), engine_of(Shift(by)), WORK, SIZES)
    with pytest.raises(ItemError, match=r"output.invalid"):
        translated(random_picture(24, 32), engine_of(Shift(by)), COMPAT, SIZES)


def test_a_flat_input_may_have_a_flat_output():
    flat = Picture(np.full((16, 16, 3), 90, np.uint8), None, "png")
    assert translated(flat, engine_of(Shift(0.0)), WORK, SIZES).pixels.shape == (16, 16, 3)


def test_compat_is_squashed_and_truncated():
    before = random_picture(64, 96, alpha=True)
    after = translated(before, engine_of(Shift(0.5 / 127.5)), COMPAT, SIZES)
    assert after.alpha is None
    # Half a level added and truncated is the squashed picture itself; rounding would give one more.
    assert np.array_equal(after.pixels, resize(before.pixels, 256, 256, how="bicubic"))


def test_compat_with_dropout_repeats_itself():
    architecture, config = parse_config(
        "generator", {"architecture": "resnet", "width": 4, "blocks": 1, "dropout": True}, "t"
    )
    engine = engine_of(build("generator", architecture, config), dropout=True)
    first = translated(random_picture(32, 32), engine, COMPAT, SIZES).pixels
    assert np.array_equal(first, translated(random_picture(32, 32), engine, COMPAT, SIZES).pixels)
