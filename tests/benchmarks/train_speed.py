"""Training steps per second in every precision of the loop, against the same networks in plain PyTorch, and how well
the gradients of each agree with float32's.

    python -m tests.benchmarks.train_speed --width 64 --blocks 9 --crop 128 --batch 4

Plain is what a script of a few lines does: eager float32, torch's own instance norm, channels first, the same game and
optimizers. The others are the training loop as it is (data, steps, averages). All take turns in one run. The gradients
are of one step on the networks as the timed training that auto takes leaves them, every tensor by itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn
from training_set import picture, png

from tests.benchmarks._machine import machine, row
from translate.config import Training, validate
from translate.images.tensors import to_tensor
from translate.models.norm import InstanceNorm2d
from translate.objectives.contract import build_objective
from translate.stores import open_store
from translate.training.loop import train
from translate.training.networks import autocast, device_of, plan_networks, precision_of

if TYPE_CHECKING:
    from torch import Tensor

    from translate.objectives.contract import Objective
    from translate.stores.contract import ObjectStore
    from translate.training.loop import Trained

PLAIN = "plain float32"
FIRST = 3
"""Steps that are not counted."""
NEGLIGIBLE = 1e-4
"""Share of the largest gradient's norm below which a direction is rounding only, as for biases before a norm."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objective", default="cyclegan", choices=["cyclegan", "pix2pix"])
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--images", type=int, default=24, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(machine())
    data = open_store("memory://train-speed/data/")
    for i in range(8):
        for side in "AB":
            data.put(f"train{side}/{i}.png", png(picture(i + 100 * (side == "B"), asked.crop + 16)))
    rates: dict[str, list[float]] = {PLAIN: [], "float32": [], "bfloat16": []}
    outcomes: dict[str, Trained] = {}
    for number in range(asked.rounds):
        for precision, found in rates.items():
            if precision == PLAIN:
                with ProcessPoolExecutor(1, get_context("spawn")) as fresh:  # our settings are the process's
                    found.append(fresh.submit(plain_steps_per_second, asked).result())
            else:
                steps, outcomes[precision] = steps_per_second(asked, data, precision, number)
                found.append(steps)
            print(f"round {number + 1}, {precision}: {found[-1]:.3f} steps/s", flush=True)
    what = (f"{asked.objective}, width {asked.width}, {asked.blocks} blocks, {asked.crop} x {asked.crop}, "
            f"batch {asked.batch}")
    chosen = precision_of("auto", device_of("cpu"))
    for precision, found in rates.items():
        if precision == PLAIN:
            continue
        faster = median(now / then for now, then in zip(found, rates[PLAIN], strict=True))
        row(f"training in {precision}{' (what auto takes)' * (precision == chosen)} against plain float32, {what}",
            f"{faster:.2f} times ({median(found):.2f} against {median(rates[PLAIN]):.2f} steps/s)")
        if precision != "float32":
            agreement = cosines(asked, outcomes[chosen], precision)
            worst = min(agreement, key=agreement.__getitem__)
            close = sum(cosine >= 0.99 for cosine in agreement.values())
            row("cosine of its gradients with float32's, by tensor",
                f"{close} of {len(agreement)} at least 0.99; the least {agreement[worst]:.4f} ({worst})")


def game(asked: argparse.Namespace, precision: str) -> Training:
    """The training that is measured."""
    paired = asked.objective == "pix2pix"
    return validate(Training, {
        "objective": {"name": asked.objective}, "images": asked.images, "batch": asked.batch,
        "generator": {"architecture": "resnet", "width": asked.width, "blocks": asked.blocks},
        "discriminator": {"architecture": "patchgan", "width": asked.width},
        "data": {"kind": "paired" if paired else "unpaired", "crop_px": asked.crop,
                 "short_side_px": [asked.crop + 16 * paired, asked.crop + 16]},
        "precision": precision, "checkpoint_every_images": 10**6, "sample_every_images": 10**6,
    }, "benchmark")


def steps_per_second(
    asked: argparse.Namespace, data: ObjectStore, precision: str, number: int
) -> tuple[float, Trained]:
    """Of one training from random weights, by its median step; and its outcome."""
    times = [time.perf_counter()]
    trained = train(game(asked, precision), data, open_store(f"memory://train-speed/{precision}/{number}/"),
                    device="cpu", on_progress=lambda _: times.append(time.perf_counter()))
    return rate(times), trained


def rate(times: list[float]) -> float:
    """Steps per second from when each began; the first ones get their memory."""
    return 1 / median(after - before for before, after in pairwise(times[FIRST:]))


def plain_steps_per_second(asked: argparse.Namespace) -> float:
    """Of a few lines of PyTorch, by the median step."""
    training = game(asked, "float32")
    objective = build_objective(training.objective, "benchmark")
    networks = {name: plain(plan.build()) for name, plan in plan_networks(training, objective).items()}
    players = {player: [network for name, network in networks.items()
                        if (name in objective.directions) == (player == "generator")] for player in objective.order}
    optimizers = {player: torch.optim.Adam([p for network in own for p in network.parameters()], lr=2e-4,
                                           betas=(0.5, 0.999)) for player, own in players.items()}
    batch = batch_of(asked)
    times = [time.perf_counter()]
    for _ in range(asked.images // asked.batch):
        made = objective.translate(networks, batch)
        for player in objective.order:
            for network in players["discriminator"]:
                network.requires_grad_(player == "discriminator")
            if player == "generator":
                terms = objective.generator_loss(networks, batch, made)
            else:
                terms = objective.discriminator_loss(networks, batch, {k: v.detach() for k, v in made.items()})
            optimizers[player].zero_grad()
            torch.autograd.backward([term.mean() for term in terms.values()])
            optimizers[player].step()
        times.append(time.perf_counter())
    return rate(times)


def plain(network: nn.Module) -> nn.Module:
    """With torch's own instance norm, which keeps nothing that ours does not."""
    for module in network.modules():
        if isinstance(module, InstanceNorm2d):
            module.__class__ = nn.InstanceNorm2d
    return network


def batch_of(asked: argparse.Namespace) -> dict[str, Tensor]:
    """Of made-up pictures, channels first."""
    images = torch.stack([to_tensor(picture(i, asked.crop)) for i in range(asked.batch)])
    return {"a": images, "b": -images.flip(3), "way": torch.tensor(0.5)}


def cosines(asked: argparse.Namespace, trained: Trained, precision: str) -> dict[str, float]:
    """Between the gradients of one step in both precisions, by tensor; of tensors whose gradient is not negligible."""
    objective = build_objective(game(asked, precision).objective, "benchmark")
    exact, quick = (gradients(asked, objective, dict(trained.networks), each) for each in ("float32", precision))
    largest = max(gradient.norm() for gradient in exact.values())
    return {name: float(torch.nn.functional.cosine_similarity(gradient.flatten(), quick[name].flatten(), dim=0))
            for name, gradient in exact.items() if gradient.norm() > NEGLIGIBLE * largest}


def gradients(
    asked: argparse.Namespace, objective: Objective, networks: dict[str, nn.Module], precision: str
) -> dict[str, Tensor]:
    """Of the generators' losses, then of the discriminators', as in the loop."""
    batch = {name: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
             for name, tensor in batch_of(asked).items()}
    for network in networks.values():
        network.requires_grad_(True)
    with autocast(torch.device("cpu"), precision):
        made = objective.translate(networks, batch)
        terms = {"generator": objective.generator_loss(networks, batch, made),
                 "discriminator": objective.discriminator_loss(
                     networks, batch, {name: image.detach() for name, image in made.items()})}
    found: dict[str, Tensor] = {}
    generators = set(objective.directions)
    for player, losses in terms.items():
        own = {f"{name}.{key}": parameter for name, network in networks.items()
               if (name in generators) == (player == "generator") for key, parameter in network.named_parameters()}
        loss = torch.stack([term.float().mean() for term in losses.values()]).sum()
        values = torch.autograd.grad(loss, list(own.values()), retain_graph=True, allow_unused=True)
        found |= {name: value for name, value in zip(own, values, strict=True) if value is not None}
    return found


if __name__ == "__main__":
    main()
