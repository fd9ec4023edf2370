"""How much memory a training will take, before it starts; and what would fit if that is too much.

The loop's own step (`translate.training.step.play`) runs on tensors that have shapes and no memory, at the true crop
and batch, and what lives at once is counted. So every game, architecture and precision is covered by its own code, in
about a second.

Measured against the growth of the resident memory of real trainings: see the README of this folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from translate.engines.sizes import memory_of
from translate.errors import ConfigError
from translate.objectives.contract import build_objective
from translate.training._live import LiveBytes
from translate.training.data import AHEAD, CACHE_BYTES
from translate.training.networks import plan_networks, precision_of
from translate.training.step import play, seat_players

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor, nn

    from translate.config import Data, Training
    from translate.objectives.contract import Batch, Objective, Player
    from translate.training.networks import Planned

CPU = torch.device("cpu")
SMALLEST_CROP_PX = 64
"""No smaller crop is proposed: it would be another task."""
WIDTH_STEP = 4
"""Proposed widths are multiples of this."""
ALLOCATOR_SHARE = 0.4
"""What the C library keeps of memory that was freed, as a share of what lives; measured up to this."""
LIBRARIES = 50 * 2**20
"""What the first steps load and compile."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a training takes on top of what the process has taken already; bytes."""

    weights: int
    gradients: int
    optimizer: int
    """Adam's two averages of each gradient."""
    averages: int
    """The generators' moving averages, and the best snapshot if one is sought."""
    history: int
    """The pools of earlier made images, full."""
    batches: int
    """The batch in work and those prepared ahead."""
    activations: int
    """Kept for the way back through the game, at the step's widest point."""
    checkpoint: int
    """A checkpoint's bytes and its tensors, while one is read; no activations live then."""
    available: int | None
    """What there is for this one worker, of the device's memory; None if the system does not say."""
    device: str = "cpu"
    """Where the networks learn: ``cpu`` or ``cuda``."""

    @property
    def lasting(self) -> int:
        """What lives from step to step."""
        return self.weights + self.gradients + self.optimizer + self.averages + self.history + self.batches

    @property
    def needed(self) -> int:
        """At the widest moment, allocator and libraries included, the cache of images not."""
        kept = 1 + ALLOCATOR_SHARE
        return round(kept * self.lasting + max(kept * self.activations, self.checkpoint)) + LIBRARIES

    @property
    def cache(self) -> int:
        """What is left for decoded training images, which are kept in main memory as long as there is room."""
        if self.available is None or self.device != "cpu":
            return CACHE_BYTES
        return max(0, min(CACHE_BYTES, self.available - self.needed))

    @property
    def fits(self) -> bool:
        """Whether there is enough; also where the system does not say."""
        return self.available is None or self.needed <= self.available

    def words(self) -> str:
        """One line for people."""
        parts = {"weights": self.weights, "gradients": self.gradients, "optimizer": self.optimizer,
                 "averages": self.averages, "history and batches": self.history + self.batches,
                 "activations": self.activations, "a checkpoint while it is read": self.checkpoint}
        of_gpu = "" if self.device == "cpu" else " on the GPU"
        there = "" if self.available is None else f" of {size(self.available)} available{of_gpu}"
        return (f"memory: {size(self.needed)}{there} ({', '.join(f'{name} {size(n)}' for name, n in parts.items())}), "
                f"and up to {size(self.cache)} for images")


def check_memory(training: Training, workers: int = 1, *, here: int = 1, device: torch.device = CPU) -> Memory:
    """Estimate, and raise `ConfigError` that names what would fit if this does not; arguments as of `estimate`.

    For a GPU nothing is refused: the estimate was measured against main memory, and what does not fit there, CUDA
    says at the first step.
    """
    memory = estimate(training, workers, here=here, device=device)
    if memory.fits or device.type != "cpu":
        return memory
    assert memory.available is not None
    each = f" for each of {here} workers here" if here > 1 else ""
    raise ConfigError(
        f"this training needs about {size(memory.needed)} of memory and {size(memory.available)} are available{each}, "
        f"with crop {training.data.crop_px}, batch {training.batch} and width {_width(training)}; "
        + _what_would_fit(training, workers, memory.available))


def estimate(training: Training, workers: int = 1, *, here: int = 1, device: torch.device = CPU) -> Memory:
    """Count the bytes of a training by one step on tensors without memory; raises `ConfigError`.

    Of one of ``workers``, with its part of each batch, and its part of this machine's memory, which ``here`` of them
    share. The random state is left as it was.
    """
    objective = build_objective(training.objective, "training.objective")
    with torch.random.fork_rng(devices=[]):
        fake = FakeTensorMode(allow_non_fake_inputs=True)
        with fake:
            networks = {name: plan.build() for name, plan in plan_networks(training, objective).items()}
            networks, players = seat_players(objective, networks)
            batch = _batch(training.data, training.batch // workers)
            one_batch = _bytes(batch.values())
            for network in networks.values():
                for parameter in network.parameters():
                    parameter.grad = torch.empty_like(parameter)
        batch["way"] = torch.zeros(())  # at the start every term has its full weight
        peak, made = _widest(objective, networks, players, batch, precision_of(training.precision, device))
    generators = [networks[name] for name in objective.directions]
    weights = _bytes(tensor for network in networks.values() for tensor in network.state_dict().values())
    gradients = _bytes(parameter for network in networks.values() for parameter in network.parameters())
    averages = _bytes(tensor for network in generators for tensor in network.state_dict().values())
    pooled = [made[name][0] for _, target in objective.directions.values() if (name := f"fake_{target}") in made]
    history = training.pool * _bytes(pooled)
    if training.evaluation is not None:
        averages += weights + averages
    return Memory(weights, gradients, 2 * gradients, averages, history, (AHEAD + 2) * one_batch, peak - gradients,
                  2 * (weights + 2 * gradients + averages + history), _available(device, here), device.type)


def _available(device: torch.device, here: int) -> int | None:
    there = memory_of(device.type)
    return there if there is None or device.type != "cpu" else there // here


def size(count: int) -> str:
    """Bytes in words: ``1.4 GiB``, ``120 MiB``."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _batch(data: Data, images: int) -> dict[str, Tensor]:
    """A batch as `TrainingData` makes it, without content."""
    batch = {}
    for domain, channels, answers in (("a", data.channels_a, data.answers_a), ("b", data.channels_b, data.answers_b)):
        shape = (images, channels, data.crop_px, data.crop_px)
        batch[domain] = torch.empty(shape).to(memory_format=torch.channels_last)
        if data.kind == "unpaired" and answers:
            batch[f"answer_{domain}"] = torch.empty(images, 3, data.crop_px, data.crop_px)
            batch[f"known_{domain}"] = torch.empty(images)
    return batch


def _widest(
    objective: Objective,
    networks: Mapping[str, nn.Module],
    players: Mapping[Player, Mapping[str, nn.Module]],
    batch: Batch,
    precision: str,
) -> tuple[int, Mapping[str, Tensor]]:
    """The most bytes that lived at once while a batch is played, and the images that the generators made.

    Gradients are counted; weights and the batch itself are not, and the optimizers' steps are not taken.
    """
    made: dict[str, Tensor] = {}

    def note(images: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        made.update(images)
        return {name: image.detach() for name, image in images.items()}

    with LiveBytes() as live:
        for network in networks.values():
            for parameter in network.parameters():
                assert parameter.grad is not None
                live.count(parameter.grad)
        for _ in play(objective, networks, players, batch, note, device=CPU, precision=precision):
            pass
    return live.peak, made


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _what_would_fit(training: Training, workers: int, available: int) -> str:
    """The largest batch, crop and width that fit, each with everything else as it is."""
    data = training.data
    multiple = max(plan.config.multiple for plan in _planned(training).values())
    smallest = -(-SMALLEST_CROP_PX // multiple) * multiple

    def batch(images: int) -> Training:
        return training.model_copy(update={"batch": images})

    def crop(px: int) -> Training:
        return training.model_copy(update={"data": data.model_copy(update={"crop_px": px})})

    def width(channels: int) -> Training:
        return training.model_copy(update={"generator": training.generator | {"width": channels}})

    changes = {
        "train.batch": (batch, range(workers, training.batch, workers)),
        "train.data.crop_px": (crop, range(smallest, data.crop_px, multiple)),
        "train.generator.width": (width, range(WIDTH_STEP, _width(training) or 0, WIDTH_STEP)),
    }

    def fits(change: Callable[[int], Training], value: int) -> bool:
        return estimate(change(value), workers).needed <= available

    found = {key: _largest(values, partial(fits, change)) for key, (change, values) in changes.items()}
    fitting = [f"--set {key}={value}" for key, value in found.items() if value is not None]
    if not fitting:
        return "no smaller batch, crop or width alone would fit: lower several, or use a machine with more memory"
    return f"any one of these would fit: {', '.join(fitting)}"


def _planned(training: Training) -> dict[str, Planned]:
    return plan_networks(training, build_objective(training.objective, "training.objective"))


def _width(training: Training) -> int | None:
    """Of the generator from a to b (the other one's may differ); None if the architecture has no such option."""
    forward = next(plan for plan in _planned(training).values() if plan.kind == "generator")
    width: int | None = getattr(forward.config, "width", None)
    return width


def _largest(values: range, fits: Callable[[int], bool]) -> int | None:
    """The largest that fits, if what fits comes before what does not; None if the first one does not."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if fits(values[middle]) else (low, middle)
    return values[low - 1] if low else None
