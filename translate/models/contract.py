"""What an architecture file offers.

A file ``translate/models/<name>.py`` whose ``ROLE`` is set is an architecture: found by its file name, built from
its own frozen config, complete before the first batch, without I/O.

    ROLE = "generator" | "discriminator"
    Config                                    # subclass of translate.config.Frozen, all fields with defaults
    Network(config: Config)                   # nn.Module

A generator maps ``(N, in_channels, H, W)`` float in [-1, 1] to ``(N, out_channels, H, W)``, H and W multiples of
``config.multiple``; a discriminator maps images to a list of score maps, one a scale: ``list[(N, 1, h, w)]``, and its
``scores_and_features`` gives beside them the features of its layers, a list for each scale. A generator that is an
`Encoder` also shows features of its first half.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, runtime_checkable

from translate import lookup
from translate.config import Frozen, validate

if TYPE_CHECKING:
    from torch import Tensor, nn

Role = Literal["generator", "discriminator"]


class ArchitectureConfig(Frozen):
    """Base of every architecture's configuration."""

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this (1 for discriminators)."""
        return 1

    @property
    def minimum_px(self) -> int:
        """Smallest height and width that the network takes."""
        return self.multiple

    @property
    def receptive_radius_px(self) -> int:
        """How far an output pixel looks in each direction through the convolutions (norms look everywhere)."""
        raise NotImplementedError


@runtime_checkable
class Encoder(Protocol):
    """A generator that contrastive terms can look into."""

    @property
    def feature_channels(self) -> list[int]:
        """Channels of each of the features."""
        ...

    def encode(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) -> (N, C_i, H_i, W_i) of some layers, fine to coarse."""
        ...


@runtime_checkable
class Local(Protocol):
    """A layer of an architecture's own of which an output pixel looks at its own place and a little around it.

    What is not made of torch's own layers says this of itself, so that large images can be translated in parts; see
    `translate.engines.sweep`. Its output has as many pixels, or a whole fraction or multiple of them along each side.
    """

    reach_px: int
    """How many pixels of input beyond its own place a pixel of output looks, in each direction."""


class FeatureDiscriminator(Protocol):
    """What every discriminator is, for terms that compare its features."""

    def scores_and_features(self, x: Tensor) -> tuple[list[Tensor], list[list[Tensor]]]:
        """The score maps and, for each of them, the layers' outputs (N, C, h, w), fine to coarse."""
        ...


def architectures(role: Role) -> list[str]:
    """Names of the architectures with a role, sorted, read from the sources without importing them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if _role(path) == role)


def parse_config(role: Role, values: dict[str, Any], where: str) -> tuple[str, ArchitectureConfig]:
    """Split ``{"architecture": name, **options}`` into the name and that architecture's checked configuration."""
    options = dict(values)
    name = str(options.pop("architecture", ""))
    module = lookup.load("translate.models", name, f"{role} architecture", among=architectures(role))
    return name, cast("ArchitectureConfig", validate(module.Config, options, f"{where} ({name})"))


def build(role: Role, name: str, config: ArchitectureConfig) -> nn.Module:
    """A new network with freshly drawn weights."""
    module = lookup.load("translate.models", name, f"{role} architecture", among=architectures(role))
    return cast("nn.Module", module.Network(config))


@cache
def _role(path: Path) -> str | None:
    found = re.search(r'^ROLE = "(\w+)"$', path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None
