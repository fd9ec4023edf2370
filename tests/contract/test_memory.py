"""The memory estimate covers every game and architecture: what it counts is what a real step takes."""

import pytest
import torch

from translate.config import Training, validate
from translate.models.contract import architectures
from translate.objectives.contract import build_objective, objectives
from translate.training import memory
from translate.training.networks import build_networks
from translate.training.step import seat_players

pytestmark = pytest.mark.usefixtures("one_thread")

CHANGES = ["colour", "translation", "cutout"]
GAMES = [
    *({"name": name} for name in objectives()),
    *({"name": name, "adversarial": "wgan_gp", "r1_weight": 10.0, "augment": CHANGES} for name in objectives()),
    {"name": "cut", "flip_equivariance": True},
    {"name": "cyclegan", "identity_until": 0.5, "perceptual_weight": 1.0},
    {"name": "pix2pix", "feature_matching_weight": 10.0},
]
SMALL = {"resnet": {"blocks": 1}, "unet": {"levels": 3}}
"""Options that make an architecture small, beside its width."""


def training(objective, *, generator="resnet", discriminator="patchgan", **changes):
    return validate(Training, {
        "objective": objective,
        "generator": {"architecture": generator, "width": 4, **SMALL.get(generator, {})},
        "discriminator": {"architecture": discriminator, "width": 4, "layers": 1, "norm": "instance"},
        "data": {"kind": "unpaired", "short_side_px": [32, 32], "crop_px": 32},
        "images": 2, "batch": 2, "precision": "float32", **changes,
    }, "test")


def really(settings):
    """What `estimate` counts, counted over a step that is really taken."""
    torch.manual_seed(0)
    objective = build_objective(settings.objective, "test")
    networks, players = seat_players(objective, build_networks(settings, objective)[0])
    batch = {side: torch.rand(2, 3, 32, 32).to(memory_format=torch.channels_last) for side in "ab"}
    batch["way"] = torch.zeros(())
    for network in networks.values():
        for parameter in network.parameters():
            parameter.grad = torch.zeros_like(parameter)
    peak, _ = memory._widest(objective, networks, players, batch, settings.precision)
    return peak - sum(p.grad.nbytes for network in networks.values() for p in network.parameters())


def agrees(settings):
    assert memory.estimate(settings).activations == pytest.approx(really(settings), rel=0.02)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("objective", GAMES, ids=lambda options: "-".join(str(value) for value in options.values()))
def test_every_game(objective, precision):
    agrees(training(objective, precision=precision))


@pytest.mark.parametrize("generator", architectures("generator"))
def test_every_generator(generator):
    agrees(training({"name": "pix2pix"}, generator=generator))


@pytest.mark.parametrize("discriminator", architectures("discriminator"))
def test_every_discriminator(discriminator):
    agrees(training({"name": "pix2pix"}, discriminator=discriminator))
    options = {"architecture": discriminator, "width": 4, "layers": 1, "spectral": True, "norm": "none"}
    agrees(training({"name": "pix2pix"}).model_copy(update={"discriminator": options}))
