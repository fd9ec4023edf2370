"""What a training game offers.

A file ``translate/objectives/<name>.py`` with a ``Config`` and an ``Objective`` is a game, found by its file name.
The game names the roles it needs and returns named terms; it never calls ``backward``, ``step`` or ``save``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from torch import Tensor, nn

from translate import lookup
from translate.config import Frozen, validate

Player = Literal["generator", "discriminator"]
Batch = Mapping[str, Tensor]
"""``a``, ``b``: (N, C, H, W) float in [-1, 1]. Unpaired sets may add ``answer_a`` and ``known_a`` (N,) in {0, 1}, and
the same for ``b``: the true translation where it is known, zeros elsewhere. The loop adds ``way``, 0-dim: the share
of the training that is done, for weights that change."""
Networks = Mapping[str, nn.Module]
Terms = dict[str, Tensor]
"""Weighted, unreduced: the loop averages each and adds them up."""


@dataclass(frozen=True, slots=True)
class Role:
    """One network that a game needs."""

    kind: Player
    in_channels: int
    out_channels: int = 1


class Objective(Protocol):
    """A game between generators and discriminators."""

    order: tuple[Player, ...]
    """Who steps first."""
    directions: Mapping[str, tuple[str, str]]
    """Generators that are translators: role -> (source domain, target domain) as ``a`` or ``b``."""

    def __init__(self, config: Any) -> None: ...  # noqa: ANN401 - each game has its own Config

    def roles(self, channels_a: int, channels_b: int) -> dict[str, Role]:
        """The networks of the game for domains with these channels."""
        ...

    def heads(self, networks: Networks) -> dict[str, nn.Module]:
        """Small networks on top of the roles', which learn with the generators; complete here. Most games have none.

        Raises `ConfigError` if the roles' networks are not of a kind that the game can stand on.
        """
        ...

    def translate(self, networks: Networks, batch: Batch) -> dict[str, Tensor]:
        """One forward pass of the generators; the images that both players look at, with their graph."""
        ...

    def generator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """What the generators minimise."""
        ...

    def discriminator_loss(self, networks: Networks, batch: Batch, images: Mapping[str, Tensor]) -> Terms:
        """What the discriminators minimise; ``images`` are detached, perhaps older ones from the history pool."""
        ...


def objectives() -> list[str]:
    """Names of the games: the files of this folder that are neither private nor this contract."""
    return sorted(p.stem for p in Path(__file__).parent.glob("[a-z]*.py") if p.stem != "contract")


def build_objective(values: dict[str, Any], where: str) -> Objective:
    """The game that ``{"name": ..., **options}`` describes; raises `UnknownNameError` or `ConfigError`."""
    options = dict(values)
    name = str(options.pop("name", ""))
    module = lookup.load("translate.objectives", name, "objective", among=objectives())
    config = cast("Frozen", validate(module.Config, options, f"{where} ({name})"))
    return cast("Objective", module.Objective(config))
