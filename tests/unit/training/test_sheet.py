"""Sample sheets show what a run makes of the same image, for every architecture and odd sizes."""

from __future__ import annotations

import pytest
import torch

from translate.config import Domains
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator
from translate.training.sheet import translate_samples

OPTIONS = [
    {"architecture": "unet", "levels": 5, "width": 4, "norm": "instance"},
    {"architecture": "resnet", "width": 4, "blocks": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["architecture"])
@pytest.mark.parametrize("shape", [(37, 21), (64, 40), (5, 90)])
def test_a_sample_has_the_pixels_of_the_translator(options, shape):
    name, config = parse_config("generator", options, "t")
    torch.manual_seed(0)
    network = build("generator", name, config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    image = torch.rand(3, *shape) * 2 - 1
    found = translate_samples({"G": network}, {"G": ("a", "b")}, {"a": [image]})["G"][1][0]
    facts = ModelFacts(name="t", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    assert torch.equal(found, Translator(network, facts)(image[None])[0])
