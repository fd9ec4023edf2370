"""Every architecture can be translated in parts, and the result is that of the whole image."""

from __future__ import annotations

import pytest
import torch

from tests.contract.test_architectures import EXAMPLES, made
from translate.config import Domains
from translate.engines import sweep
from translate.engines.sweep import Sweep
from translate.models.translator import ModelFacts, Translator
from translate.stores.patience import never

every_generator = pytest.mark.parametrize(
    ("name", "options"), [(name, options) for role, name, options in EXAMPLES if role == "generator"], ids=str)


def lively(name, options):
    """A translator of that architecture whose output uses the whole range, also without norms."""
    network, config = made("generator", name, options)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, 0.0, 1.5 / parameter[0].numel() ** 0.5)
        else:
            torch.nn.init.normal_(parameter, 0.5, 0.2)
    if name == "rrdb":  # neither norm nor tanh keeps it within [-1, 1]
        with torch.no_grad():
            y = network(torch.rand(1, config.in_channels, 64, 64) * 2 - 1)
            last, scale = network.head[-1], 0.4 / y.std(dim=(0, 2, 3))
            last.weight.mul_(scale.view(-1, 1, 1, 1))
            last.bias.sub_(y.mean(dim=(0, 2, 3))).mul_(scale)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(network, facts)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """So small that also a small image has many."""
    monkeypatch.setattr(sweep, "PART_BYTES", 0)
    monkeypatch.setattr(sweep, "LEAST_PART_PX", 12)


@every_generator
@pytest.mark.parametrize(("height", "width"), [(97, 33), (21, 150), (1, 40)])
def test_in_float32_it_is_the_whole_image(name, options, height, width):
    translator = lively(name, options)
    x = torch.rand(1, translator.in_channels, height, width) * 2 - 1
    whole = translator(x)
    swept = Sweep(translator, "float32").translate(x, never)
    assert whole.std() > 0.02
    assert swept.shape == whole.shape
    assert (swept - whole).abs().max() < 1e-4


@every_generator
def test_in_bfloat16_it_is_as_close_to_float32_as_the_whole_image(name, options):
    translator = lively(name, options)
    x = torch.rand(1, translator.in_channels, 61, 70) * 2 - 1
    exact = translator(x)
    with torch.autocast("cpu", torch.bfloat16):
        whole = (translator(x) - exact).square().mean().sqrt()
    swept = (Sweep(translator, "bfloat16").translate(x, never) - exact).square().mean().sqrt()
    assert 0 < swept < 1.2 * whole
