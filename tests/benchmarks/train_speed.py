"""Training steps per second in the precision that the loop chooses, against the same networks eagerly in float32, and
how well the gradients of both agree.

    python -m tests.benchmarks.train_speed --width 64 --blocks 9 --crop 128 --batch 4

Both are the training loop as it is (data, steps, averages), turn by turn in one run. The gradients are of one step on
the networks as the timed training leaves them, every tensor by itself.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from training_set import picture, png

from tests.benchmarks._machine import machine, row
from translate.config import Training, validate
from translate.images.tensors import to_tensor
from translate.objectives.contract import build_objective
from translate.stores import open_store
from translate.training.loop import train
from translate.training.networks import device_of, precision_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from translate.stores.contract import ObjectStore
    from translate.training.loop import Trained

NEGLIGIBLE = 1e-4
"""Share of the largest gradient's norm below which a direction is rounding only, as for biases before a norm."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objective", default="cyclegan")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--images", type=int, default=12, help="of each measurement; the first batch is not counted")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(machine())
    data = open_store("memory://train-speed/data/")
    for i in range(8):
        for side in "AB":
            data.put(f"train{side}/{i}.png", png(picture(i + 100 * (side == "B"), asked.crop + 16)))
    chosen = precision_of("auto", device_of("cpu"))
    rates: dict[str, list[float]] = {"float32": [], chosen: []}
    for number in range(asked.rounds):
        for precision, found in rates.items():
            steps, trained = steps_per_second(asked, data, precision, number)
            found.append(steps)
            print(f"round {number + 1}, {precision}: {steps:.3f} steps/s", flush=True)
    faster = median(now / then for now, then in zip(rates[chosen], rates["float32"], strict=True))
    what = (f"training in {chosen} against float32, {asked.objective}, width {asked.width}, {asked.blocks} blocks, "
            f"{asked.crop} x {asked.crop}, batch {asked.batch}")
    row(what, f"{faster:.2f} times ({median(rates[chosen]):.2f} against {median(rates['float32']):.2f} steps/s)")
    if chosen != "float32":
        agreement = cosines(asked, trained, chosen)
        worst = min(agreement, key=agreement.__getitem__)
        close = sum(cosine >= 0.99 for cosine in agreement.values())
        row("cosine of its gradients with float32's, by tensor",
            f"{close} of {len(agreement)} at least 0.99; the least {agreement[worst]:.4f} ({worst})")


def game(asked: argparse.Namespace, precision: str) -> Training:
    """The training that is measured."""
    paired = asked.objective == "pix2pix"
    return validate(Training, {
        "objective": {"name": asked.objective}, "images": asked.batch + asked.images, "batch": asked.batch,
        "generator": {"architecture": "resnet", "width": asked.width, "blocks": asked.blocks},
        "discriminator": {"architecture": "patchgan", "width": asked.width},
        "data": {"kind": "paired" if paired else "unpaired", "crop_px": asked.crop,
                 "short_side_px": [asked.crop + 16 * paired, asked.crop + 16]},
        "precision": precision, "checkpoint_every_images": 10**6, "sample_every_images": 10**6,
    }, "benchmark")


def steps_per_second(
    asked: argparse.Namespace, data: ObjectStore, precision: str, number: int
) -> tuple[float, Trained]:
    """Of one training from random weights, by its median step, as the first two get their memory; and its outcome."""
    times: list[float] = []
    trained = train(game(asked, precision), data, open_store(f"memory://train-speed/{precision}/{number}/"),
                    device="cpu", on_progress=lambda _: times.append(time.perf_counter()))
    return 1 / median(after - before for before, after in pairwise(times)), trained


def cosines(asked: argparse.Namespace, trained: Trained, precision: str) -> dict[str, float]:
    """Between the gradients of one step in both precisions, by tensor; of tensors whose gradient is not negligible."""
    objective = build_objective(game(asked, precision).objective, "benchmark")
    exact, quick = (gradients(asked, objective, dict(trained.networks), autocast=on) for on in (False, True))
    largest = max(gradient.norm() for gradient in exact.values())
    return {name: float(torch.nn.functional.cosine_similarity(gradient.flatten(), quick[name].flatten(), dim=0))
            for name, gradient in exact.items() if gradient.norm() > NEGLIGIBLE * largest}


def gradients(
    asked: argparse.Namespace, objective: Any, networks: dict[str, nn.Module], *, autocast: bool
) -> dict[str, Tensor]:
    """Of the generators' losses, then of the discriminators', as in the loop."""
    torch.manual_seed(0)
    images = torch.stack([to_tensor(picture(i, asked.crop)) for i in range(asked.batch)])
    images = images.to(memory_format=torch.channels_last)
    batch = {"a": images, "b": -images.flip(3), "way": torch.tensor(0.5)}
    for network in networks.values():
        network.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
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
