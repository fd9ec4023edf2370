"""The networks that a game needs, from a training's configuration; where and how precisely they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch

from translate.engines.torch import has_bfloat16, pick_device
from translate.errors import ConfigError
from translate.models.contract import build, parse_config

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import nn

    from translate.config import Training
    from translate.models.contract import ArchitectureConfig
    from translate.objectives.contract import Objective, Player


Device = Literal["auto", "cpu", "cuda"]


class Planned(NamedTuple):
    """A network before it is built."""

    kind: Player
    architecture: str
    config: ArchitectureConfig

    def build(self) -> nn.Module:
        """The network, with freshly drawn weights."""
        return build(self.kind, self.architecture, self.config)


def plan_networks(training: Training, objective: Objective) -> dict[str, Planned]:
    """What each role of the game will be; raises `ConfigError` for options and crops that the networks can't take."""
    planned: dict[str, Planned] = {}
    for name, role in objective.roles(training.data.channels_a, training.data.channels_b).items():
        values = dict(training.generator if role.kind == "generator" else training.discriminator)
        if objective.directions.get(name) == ("b", "a"):
            values |= _reverse(training)
        given = {"in_channels", "out_channels"} & values.keys()
        if given:
            raise ConfigError(f"training.{role.kind}: {', '.join(sorted(given))} follow from data.channels_a and "
                              "channels_b and the objective; leave them out")
        values["in_channels"] = role.in_channels
        if role.kind == "generator":
            values["out_channels"] = role.out_channels
        planned[name] = Planned(role.kind, *parse_config(role.kind, values, f"training.{role.kind}"))
        multiple = planned[name].config.multiple
        if training.data.crop_px % multiple:
            raise ConfigError(f"training.data.crop_px {training.data.crop_px} must be a multiple of {multiple} for "
                              f"{planned[name].architecture}")
    return planned


def _reverse(training: Training) -> dict[str, Any]:
    if "architecture" in training.reverse_generator:
        raise ConfigError("training.reverse_generator: both directions have one architecture; name it in generator")
    return training.reverse_generator


def build_networks(
    training: Training, objective: Objective
) -> tuple[dict[str, nn.Module], str, dict[str, ArchitectureConfig]]:
    """Every network of the game, fully built; the architecture and configurations of the generators."""
    planned = plan_networks(training, objective)
    networks = {name: plan.build().to(memory_format=torch.channels_last) for name, plan in planned.items()}
    generators = {name: plan for name, plan in planned.items() if plan.kind == "generator"}
    (architecture,) = {plan.architecture for plan in generators.values()}
    return networks, architecture, {name: plan.config for name, plan in generators.items()}


def device_of(wanted: Device) -> torch.device:
    """Where networks learn: ``auto`` is a CUDA GPU if there is one, else the processor.

    Raises `UsageError` for a device that is not there.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(pick_device(wanted))


def precision_of(wanted: str, device: torch.device) -> str:
    """The precision that is meant: ``auto`` is ``bfloat16`` where the device has it in hardware, else ``float32``."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if has_bfloat16(device.type) else "float32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """The context in which networks and losses compute in ``precision``, ``float32`` or ``bfloat16``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
