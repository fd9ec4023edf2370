"""The stages one by one: sizes, alpha, invalid outputs, and what the store says of a source."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from jobs import picture
from torch import nn

from translate.batch import stages
from translate.config import Domains
from translate.engines.torch import TorchEngine
from translate.errors import ItemError, PreconditionError
from translate.images.codec import decode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator
from translate.provenance import Sizes, Work
from translate.records.manifest import Item
from translate.stores import open_store
from translate.stores.file import FileStore

WORK = Work(
    model="t", model_digest="", size="native", format="keep", quality=92, pixels="exact", engine="torch-float32"
)
COMPAT = WORK.model_copy(update={"pixels": "compat"})
SIZES = Sizes(whole_px=2**20, sweep_bytes=None)


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
    after = stages.translate(before, engine_of(Shift(8 / 127.5)), WORK, SIZES)
    assert after.pixels.shape == before.pixels.shape
    assert np.array_equal(after.pixels.astype(int), before.pixels.astype(int) + 8)
    assert np.array_equal(after.alpha, before.alpha)


def test_the_working_size_is_what_the_network_sees():
    network = Shift(0.0)
    work = WORK.model_copy(update={"size": 16})
    after = stages.translate(random_picture(64, 96), engine_of(network), work, SIZES)
    assert network.seen == [(1, 3, 16, 24)]
    assert after.pixels.shape == (64, 96, 3)
    stages.translate(random_picture(12, 20), engine_of(network), work, SIZES)
    assert network.seen[-1] == (1, 3, 12, 20), "smaller pictures are left as they are"


@pytest.mark.parametrize(("precision", "nearly_all"), [("float32", 1), ("bfloat16", 12)])
def test_large_pictures_are_translated_in_parts_and_look_the_same(precision, nearly_all):
    engine = TorchEngine(tiny_translator(), precision=precision)
    before = random_picture(90, 130, alpha=True)
    whole = stages.translate(before, engine, WORK, SIZES)
    swept = stages.translate(before, engine, WORK, Sizes(whole_px=90 * 130 - 1, sweep_bytes=2**31))
    near = stages.translate(before, engine, WORK, Sizes(whole_px=50, sweep_bytes=2**30))
    assert (whole.notes, swept.notes, near.notes) == ((), ("in_parts",), ("approximate",))
    assert np.array_equal(swept.alpha, before.alpha)
    assert np.abs(swept.pixels.astype(int) - whole.pixels).max() <= nearly_all
    assert np.ptp(whole.pixels) > 100


def test_what_is_in_parts_can_be_stopped():
    engine = TorchEngine(tiny_translator(), precision="float32")
    asked = iter([False, False, True])
    small = Sizes(whole_px=1, sweep_bytes=None)
    assert stages.translate(random_picture(64, 64), engine, WORK, small, lambda: next(asked, True)) is None


def test_an_architecture_that_is_of_one_piece_is_refused_when_it_is_too_large():
    small = Sizes(whole_px=1, sweep_bytes=None)
    with pytest.raises(ItemError, match=r"input.too_large.*'resnet' cannot be translated in parts.*--size"):
        stages.translate(random_picture(64, 64), engine_of(Whole(0.0)), WORK, small)


def test_what_a_gpu_has_no_memory_for_costs_that_image_and_not_the_run():
    class Greedy(Shift):
        def forward(self, x):
            del x
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(ItemError, match=r"input.too_large.*32 x 24 pixels need more memory .*--size"):
        stages.translate(random_picture(24, 32), engine_of(Greedy(0.0)), WORK, SIZES)


@pytest.mark.parametrize("by", [float("nan"), 5.0])
def test_an_output_that_cannot_be_is_refused(by):
    with pytest.raises(ItemError, match=r"output.invalid"):
        stages.translate(random_picture(24, 32), engine_of(Shift(by)), WORK, SIZES)
    with pytest.raises(ItemError, match=r"output.invalid"):
        stages.translate(random_picture(24, 32), engine_of(Shift(by)), COMPAT, SIZES)


def test_a_flat_input_may_have_a_flat_output():
    flat = Picture(np.full((16, 16, 3), 90, np.uint8), None, "png")
    assert stages.translate(flat, engine_of(Shift(0.0)), WORK, SIZES).pixels.shape == (16, 16, 3)


def test_compat_is_squashed_and_truncated():
    before = random_picture(64, 96, alpha=True)
    after = stages.translate(before, engine_of(Shift(0.5 / 127.5)), COMPAT, SIZES)
    assert after.alpha is None
    # Half a level added and truncated is the squashed picture itself; rounding would give one more.
    assert np.array_equal(after.pixels, resize(before.pixels, 256, 256, how="bicubic"))


def test_compat_with_dropout_repeats_itself():
    architecture, config = parse_config(
        "generator", {"architecture": "resnet", "width": 4, "blocks": 1, "dropout": True}, "t"
    )
    engine = engine_of(build("generator", architecture, config), dropout=True)
    first = stages.translate(random_picture(32, 32), engine, COMPAT, SIZES).pixels
    assert np.array_equal(first, stages.translate(random_picture(32, 32), engine, COMPAT, SIZES).pixels)


def test_a_source_must_be_the_one_that_was_listed():
    store = open_store("memory://stages-get")
    info = store.put("a.png", picture(1))
    item = Item("a.png", info.etag, info.size_bytes, "a.png", "png")
    assert decode(stages.get(store, item)).pixels.shape == (24, 32, 3)
    store.put("a.png", picture(2))
    with pytest.raises(ItemError, match=r"input.changed"):
        stages.get(store, item)
    store.delete("a.png")
    with pytest.raises(ItemError, match=r"input.gone"):
        stages.get(store, item)


def test_an_output_that_came_meanwhile_is_kept_if_it_must_be():
    store = open_store("memory://stages-put")
    item = Item("a.png", "e", 1, "a.png", "png")
    assert stages.put(store, item, b"1", {}, replace_existing=False) is not None
    assert stages.put(store, item, b"2", {}, replace_existing=False) is None
    assert store.get("a.png").data == b"1"
    assert stages.put(store, item, b"1", {}, replace_existing=False) == store.head("a.png"), "ours, not recorded yet"
    assert stages.put(store, item, b"2", {}, replace_existing=True) is not None
    assert store.get("a.png").data == b"2"


def test_a_refused_replacement_is_not_taken_for_an_output_that_must_be_kept(tmp_path):
    class Conflicting(FileStore):
        def put(self, key, *_, **__):
            raise PreconditionError(f"{key} is written by somebody else right now")

    item = Item("a.png", "e", 1, "a.png", "png")
    with pytest.raises(PreconditionError):
        stages.put(Conflicting(tmp_path), item, b"1", {}, replace_existing=True)
