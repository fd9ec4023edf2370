"""Up to which size images are translated whole, and up to which exactly."""

from __future__ import annotations

import pytest

from translate.config import Domains
from translate.engines.sizes import LEAST_WHOLE_PX, MOST_WHOLE_PX, sizes_for
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


@pytest.mark.parametrize(("precision", "bytes_per_px"), [("float32", 256), ("bfloat16", 128)])
def test_what_is_exact_fills_the_memory_beside_the_sweep_itself(precision, bytes_per_px):
    engine = TorchEngine(translator(width=64), precision=precision, device="cpu")
    assert sizes_for(engine, GIB + bytes_per_px * 50_000_000).exact_px == 50_000_000
    little = sizes_for(engine, GIB // 2)
    assert little.exact_px == little.whole_px == LEAST_WHOLE_PX


@pytest.mark.parametrize("architecture", [
    {}, {"sampling": "antialiased"}, {"downs": 4, "blocks": 9}, {"blocks": 9, "residual_output": True},
    {"architecture": "unet"}, {"architecture": "unet", "norm": "instance", "levels": 7},
], ids=str)
def test_a_sweep_keeps_no_more_than_that_beside_source_and_result(architecture):
    """Source and result are 8 bytes a pixel, with alpha."""
    options = {"architecture": "resnet", "width": 64, **architecture}
    name, config = parse_config("generator", options, "test")
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    wide = Translator(build("generator", name, config), facts)
    assert 0 < Sweep(wide, "bfloat16").bytes_per_px <= 128 - 8
    assert Sweep(wide, "float32").bytes_per_px == 2 * Sweep(wide, "bfloat16").bytes_per_px
