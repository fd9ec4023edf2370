"""A generator with its facts: takes images of any height and width.

Networks need sides that are multiples of something; the translator pads (reflecting where the side allows,
else repeating the edge), runs the network and crops back. It holds nothing that only training needs.
"""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from translate.config import Domains, Frozen
from translate.images.tensors import crop_back, pad_to_multiple, to_channels
from translate.models.contract import parse_config

if TYPE_CHECKING:
    from translate.models.contract import ArchitectureConfig

NAME = r"^[a-z0-9][a-z0-9_-]*$"
"""What a model may be called."""


class ModelFacts(Frozen):
    """What is known of a model besides its weights."""

    name: str = Field(pattern=NAME)
    version: int | None = Field(default=None, ge=1)
    """Number in the registry; None for a model that was not published."""
    architecture: str
    config: dict[str, Any]
    """Options of ``translate.models.<architecture>``."""
    domains: Domains
    size: int | Literal["native"] | None = None
    """Working size that it was made for: the short side in pixels, or an image's own; None: nothing is said."""
    normalisation: Literal["minus_one_to_one"] = "minus_one_to_one"
    """How pixels become numbers: 0..255 to [-1, 1]."""
    digest: str = ""
    """``sha256:<hex>`` of the weights file; set by whoever writes or reads that file."""
    provenance: dict[str, Any] = Field(default_factory=dict)
    """How the weights came to be: code version, pipeline digest, data, images seen, seed, torch, parent."""

    @property
    def reference(self) -> str:
        """``name@version``, or the bare name of a model that was not published."""
        return self.name if self.version is None else f"{self.name}@{self.version}"


class Translator:
    """A generator with its facts; takes over ``network``, which then evaluates in float32 without gradients.

    ``receptive_radius_px`` is how far an output pixel looks each way through the convolutions: ``resnet`` 84
    with nine blocks, 60 with six, 93 with nine and antialiased sampling; 765 with a U-Net of eight levels.
    Instance norms look at the whole image besides.
    """

    def __init__(self, network: nn.Module, facts: ModelFacts) -> None:
        self.network = network.eval().float().requires_grad_(False)  # noqa: FBT003 - torch's own signature
        self.facts = facts
        named = {"architecture": facts.architecture, **facts.config}
        _, self.config = parse_config("generator", named, facts.name)
        self._compat_network: nn.Module | None = None
        self._compat_lock = threading.Lock()

    @property
    def in_channels(self) -> int:
        """Channels of the input: 3 for RGB, 1 for grey."""
        return _channels(self.config, "in_channels")

    @property
    def out_channels(self) -> int:
        """Channels of the output."""
        return _channels(self.config, "out_channels")

    @property
    def multiple(self) -> int:
        """Sides are padded to multiples of this."""
        return self.config.multiple

    @property
    def minimum_px(self) -> int:
        """Sides are padded to at least this."""
        return self.config.minimum_px

    @property
    def receptive_radius_px(self) -> int:
        """How far an output pixel looks each way through the convolutions."""
        return self.config.receptive_radius_px

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) float in [-1, 1], any H, W -> (N, out_channels, H, W) float32 in [-1, 1]."""
        return self._run(self.network, x)

    def of_rgb(self, x: Tensor) -> Tensor:
        """Like a call, from three channels to three: (N, 3, H, W) float in [-1, 1] -> (N, 3, H, W) float32.

        A network that reads or writes grey sees the luma, and its output is repeated.
        """
        return to_channels(self(to_channels(x, self.in_channels)), 3)

    @torch.no_grad()
    def compat(self, x: Tensor, seed: int) -> Tensor:
        """Like a call, but as the test script of pytorch-CycleGAN-and-pix2pix runs pix2pix: in train mode.

        Batch norm takes the statistics of ``x`` itself, so give one image at a time, and dropout is on, drawn
        from ``seed``: the same seed gives the same output. Without batch norm and dropout this equals a call.
        Resizing to 256 x 256 before and truncating to bytes after, as that script does, are the caller's
        part. Calls from several threads take turns: dropout draws from torch's global generator (restored
        afterwards).
        """
        with self._compat_lock, torch.random.fork_rng(devices=[]):
            if self._compat_network is None:
                self._compat_network = _train_mode(self.network)
            torch.manual_seed(seed)
            return self._run(self._compat_network, x)

    def _run(self, network: nn.Module, x: Tensor) -> Tensor:
        return run_padded(network, self.config, x)


def run_padded(network: nn.Module, config: ArchitectureConfig, x: Tensor) -> Tensor:
    """Pad to the sizes that the network takes, run it, crop back and clamp.

    (N, in_channels, H, W) float in [-1, 1], any H, W -> (N, out_channels, H, W) float32 in [-1, 1].
    """
    padded, crop = pad_to_multiple(x, config.multiple, config.minimum_px)
    # In place: what a network returns is its own.
    return crop_back(cast("Tensor", network(padded)).float(), crop).clamp_(-1.0, 1.0)


def _channels(config: ArchitectureConfig, side: str) -> int:
    return int(getattr(config, side))


def _train_mode(network: nn.Module) -> nn.Module:
    """A copy in train mode that shares the weights and has no running statistics to spoil."""
    shared = {id(parameter): parameter for parameter in network.parameters()}
    twin = copy.deepcopy(network, shared).train()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.track_running_stats = False
            module.running_mean = module.running_var = module.num_batches_tracked = None
    return twin
