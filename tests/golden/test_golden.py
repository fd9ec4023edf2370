"""What fixed small networks make of a real picture is what it was."""

from pathlib import Path

import numpy as np
import pytest
import torch

from translate.config import Domains
from translate.engines.torch import TorchEngine
from translate.images.codec import decode, encode
from translate.images.picture import Picture
from translate.images.tensors import to_pixels, to_tensor
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator

FOLDER = Path(__file__).parent
NETWORKS = {
    "resnet": {"architecture": "resnet", "width": 8, "blocks": 2},
    "resnet_antialiased": {"architecture": "resnet", "width": 8, "blocks": 2, "sampling": "antialiased",
                           "affine": True, "residual_output": True},
    "unet": {"architecture": "unet", "width": 4, "levels": 6},
}


def translator(options):
    """Weights from numpy's legacy generator, whose numbers are promised never to change."""
    name, config = parse_config("generator", options, "golden")
    network = build("generator", name, config)
    random = np.random.RandomState(7)  # newer generators may change
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            values = torch.from_numpy(random.standard_normal(tuple(parameter.shape)))
            if parameter.dim() > 1:
                parameter.copy_(values * 1.5 / parameter[0].numel() ** 0.5)
            else:
                parameter.copy_(values * 0.2 + (1.0 if key.endswith("weight") else 0.0))
    facts = ModelFacts(name="golden", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(network, facts)


def translated(name):
    engine = TorchEngine(translator(NETWORKS[name]), device="cpu", precision="float32")
    pixels = decode((FOLDER / "input.png").read_bytes()).pixels
    return to_pixels(engine.translate(to_tensor(pixels)[None])[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_pixels_are_what_they_were(name):
    golden = decode((FOLDER / f"{name}.png").read_bytes()).pixels
    assert golden.std() > 20, "the golden picture is flat: it would notice nothing"
    difference = np.abs(translated(name).astype(int) - golden.astype(int))
    assert difference.max() <= 1, f"{(difference > 1).mean():.1%} of the values moved, by up to {difference.max()}"


if __name__ == "__main__":
    for each in NETWORKS:
        picture = Picture(pixels=translated(each), alpha=None, format="png")
        (FOLDER / f"{each}.png").write_bytes(encode(picture, "png", 100))
