"""In bfloat16 a step goes about the same way as in float32: every tensor's gradient points where it should."""

import pytest
import torch
from training_set import picture

from translate.config import Training, validate
from translate.images.tensors import to_tensor
from translate.objectives.contract import build_objective
from translate.training.networks import autocast, build_networks

GAME = {
    "generator": {"architecture": "resnet", "width": 16, "blocks": 3, "sampling": "antialiased"},
    "discriminator": {"architecture": "patchgan", "width": 16},
    "data": {"kind": "unpaired", "short_side_px": [64, 64], "crop_px": 64},
    "images": 8, "batch": 4,
}
LEAST_COSINE = 0.95
"""Between gradients in both precisions. 0.975 and more was seen here, 0.94 with six blocks: what bfloat16 rounds
forward turns ReLUs on and off."""
NEGLIGIBLE = 1e-4
"""Share of the largest gradient's norm below which a direction is rounding only, as for biases before a norm."""


@pytest.mark.parametrize("objective", ["cyclegan", "pix2pix"])
def test_gradients_agree_for_every_tensor(objective):
    found = {precision: gradients(objective, precision) for precision in ("float32", "bfloat16")}
    for player, exact in found["float32"].items():
        largest = max(gradient.norm() for gradient in exact.values())
        compared = 0
        for name, gradient in exact.items():
            if gradient.norm() > NEGLIGIBLE * largest:
                compared += 1
                quick = found["bfloat16"][player][name]
                cosine = torch.nn.functional.cosine_similarity(gradient.flatten(), quick.flatten(), dim=0)
                assert cosine > LEAST_COSINE, f"{player} {name}: {cosine:.4f}"
        assert compared >= len(exact) / 3


def gradients(objective_name, precision):
    """By player, then by tensor, of one step on the same networks and images."""
    options = {"objective": {"name": objective_name}}
    if objective_name == "pix2pix":
        options["data"] = GAME["data"] | {"kind": "paired"}
    training = validate(Training, GAME | options, "test")
    torch.manual_seed(0)
    objective = build_objective(training.objective, "test")
    networks, _, configs = build_networks(training, objective)
    images = torch.stack([to_tensor(picture(i, 64)) for i in range(4)]).to(memory_format=torch.channels_last)
    batch = {"a": images, "b": -images.flip(3), "way": torch.tensor(0.5)}
    players = {"generator": [name for name in networks if name in configs],
               "discriminator": [name for name in networks if name not in configs]}
    with autocast(torch.device("cpu"), precision):
        made = objective.translate(networks, batch)
        terms = {"generator": objective.generator_loss(networks, batch, made),
                 "discriminator": objective.discriminator_loss(
                     networks, batch, {name: image.detach() for name, image in made.items()})}
    found = {}
    for player, names in players.items():
        parameters = {f"{name}.{key}": p for name in names for key, p in networks[name].named_parameters()}
        loss = torch.stack([term.float().mean() for term in terms[player].values()]).sum()
        values = torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
        found[player] = {key: value for key, value in zip(parameters, values, strict=True) if value is not None}
    return found
