"""Up to which size images are translated whole, and up to which exactly."""

from __future__ import annotations

import pytest
import torch

from translate.config import Domains
from translate.engines.sizes import LEAST_WHOLE_PX, MOST_WHOLE_PX, memory_of, sizes_for
from translate.engines.sweep import Sweep
from translate.engines.torch import TorchEngine
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator

GIB = 2**30


def translator(**options) -> Translator:
    name, config = parse_config("generator", {"architecture": "resnet", "blocks": 1, **options}, "test")
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(build("generator", name, config), facts)


def test_what_is_whole_follows_from_the_memory():
    engine = TorchEngine(translator(width=64), precision="float32", device="cpu")
    whole = [sizes_for(engine, memory).whole_px for memory in (0, 4 * GIB, 8 * GIB, 15 * GIB, 17 * GIB, 2**50)]
    assert whole == [LEAST_WHOLE_PX, LEAST_WHOLE_PX, 2**19, 2**20, 2**20, MOST_WHOLE_PX]
    narrow = TorchEngine(translator(width=16), precision="float32", device="cpu")
    assert sizes_for(narrow, 8 * GIB).whole_px == 2**21


def test_a_larger_one_may_take_most_of_the_memory():
    engine = TorchEngine(translator(width=64), precision="bfloat16", device="cpu")
    assert sizes_for(engine, 20 * GIB).sweep_bytes == 12 * GIB
    assert 0 < sizes_for(engine).sweep_bytes < 2**50


def test_apples_gpus_are_asked_for_their_own_memory(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 8 * GIB)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: GIB)
    assert memory_of("mps") == 7 * GIB


@pytest.mark.parametrize("architecture", [
    {}, {"sampling": "antialiased"}, {"downs": 4, "blocks": 9}, {"blocks": 9, "residual_output": True},
    {"architecture": "unet"}, {"architecture": "unet", "norm": "instance", "levels": 7},
], ids=str)
def test_a_sweep_takes_at_most_128_bytes_a_pixel_in_bfloat16_at_width_64(architecture):
    options = {"architecture": "resnet", "width": 64, **architecture}
    name, config = parse_config("generator", options, "test")
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    wide = Translator(build("generator", name, config), facts)
    assert 64 < Sweep(wide, "bfloat16").bytes_per_px <= 128
    assert Sweep(wide, "float32").bytes_per_px <= 256
    assert Sweep(wide, "bfloat16").memory_bytes(10**6) <= GIB + 128 * 10**6
