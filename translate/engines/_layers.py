"""A generator's ``forward`` as a list of layers, each knowing which part of its input a part of its output needs.

Recorded by proxies of `torch.fx`, so an architecture describes itself once, in its own ``forward``. What a layer of
torch looks at follows from its options; a layer of an architecture's own says it itself (`translate.models.contract.
Local`).
"""

from __future__ import annotations

import copy
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import fx, nn
from torch.nn import functional as F

from translate.errors import ModelError
from translate.models.contract import Local

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from translate.models.translator import Translator

_POINTWISE_MODULES = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.Identity, nn.Dropout, nn.BatchNorm2d,
                      nn.InstanceNorm2d)
_POINTWISE_FUNCTIONS = (torch.relu, F.relu, F.leaky_relu, torch.tanh, torch.sigmoid, torch.cat, operator.add, torch.add)
_LOCAL_PX = 16
"""Side of the image on which a layer of an architecture's own shows how it changes sizes."""
IMAGE = 0
"""Index of the first layer, which is the image itself."""


@dataclass(frozen=True)
class Layer:
    """One step of a network. Height and width are treated alike."""

    name: str
    run: Callable[..., Tensor]
    """On parts of the inputs, in order; at the borders of an image with the layer's own padding."""
    inputs: tuple[int, ...]
    """Indices of earlier layers."""
    channels: int
    side: int
    """Of the output, where the image's is the network's multiple."""
    up: int
    """Pixels of output per ``down`` pixels of input, along a side."""
    down: int
    reach_px: int
    """How many pixels of input beyond its own place a pixel of output looks, in each direction."""
    norm: nn.InstanceNorm2d | None
    """Set for a layer that needs the statistics of its whole input."""

    def needs(self, first: int, last: int, side: int) -> tuple[int, int]:
        """The pixels of input, of ``side`` in all, that pixels ``first`` to ``last`` (exclusive) of output need."""
        low = first * self.down // self.up - self.reach_px
        high = -(-last * self.down // self.up) + self.reach_px
        return max(0, low // self.down * self.down), min(side, -(-high // self.down) * self.down)


def read_layers(translator: Translator) -> list[Layer]:
    """The layers of a translator's network in the order of computation, the image first, the output last.

    Raises `ModelError` if there is one of which it is not known what it looks at.
    """
    network = translator.network
    try:
        graph = _trace(network)
    except fx.proxy.TraceError as error:
        raise _unknown(translator, "forward", str(error)) from error
    layers: list[Layer] = []
    index: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op == "output":
            break
        if node.op == "placeholder":
            layer: Layer | None = Layer("image", _image, (), translator.in_channels, translator.multiple, 1, 1, 0, None)
        else:
            layer = _layer(node, network, [index[each] for each in node.all_input_nodes], layers)
        if layer is None:
            raise _unknown(translator, node.name, str(node.target))
        index[node] = len(layers)
        layers.append(layer)
    return layers


def _unknown(translator: Translator, name: str, kind: str) -> ModelError:
    return ModelError(
        f"the architecture {translator.facts.architecture!r} cannot be translated in parts: of {name!r} ({kind}) it is "
        "not known what it looks at; let the layer say so (translate/engines/README.md), or give a working size with "
        "--size that fits into memory")


def _trace(network: nn.Module) -> fx.Graph:
    """The graph of a network's ``forward``.

    `torch.fx.Tracer.trace` replaces ``nn.Module.__call__`` for the whole process while it runs, so that networks in
    other threads are traced instead of computed. Here a copy of the modules is called with a
    proxy instead, and nothing outside of it changes.
    """
    tracer = fx.proxy.GraphAppendingTracer(fx.Graph())
    image = tracer.create_proxy("placeholder", "x", (), {})
    result = _recording(network, "", tracer)(image)
    tracer.create_proxy("output", "output", (result,), {})
    return tracer.graph


class _Leaf(nn.Module):
    """Stands for a module of torch, or one that says what it looks at: a step of the graph."""

    def __init__(self, name: str, tracer: fx.proxy.TracerBase) -> None:
        super().__init__()
        self._name, self._tracer = name, tracer

    def forward(self, *inputs: fx.Proxy) -> fx.Proxy:
        """Append the step."""
        return self._tracer.create_proxy("call_module", self._name, inputs, {})


def _recording(module: nn.Module, name: str, tracer: fx.proxy.TracerBase) -> nn.Module:
    """A copy of a module whose leaves record that they are called."""
    holds_others = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
    of_torch = type(module).__module__.startswith("torch.nn") and not holds_others
    if of_torch or isinstance(module, Local | nn.Conv2d | nn.InstanceNorm2d):
        return _Leaf(name, tracer)
    twin = copy.copy(module)
    twin._modules = {  # noqa: SLF001 - torch's own place for them; ``copy`` shares it with the original
        child: part if part is None else _recording(part, f"{name}.{child}".lstrip("."), tracer)
        for child, part in module._modules.items()  # noqa: SLF001
    }
    return twin


@dataclass(frozen=True, slots=True)
class _Kind:
    """What there is to know of a step besides its function."""

    channels: int
    up: int = 1
    down: int = 1
    reach_px: int = 0


def _layer(node: fx.Node, network: nn.Module, inputs: list[int], before: list[Layer]) -> Layer | None:
    """A step as a layer, None if it is of a kind that cannot be computed in parts."""
    module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
    channels, sides = [before[each].channels for each in inputs], {before[each].side for each in inputs}
    kind = _kind_of_function(node, channels) if module is None else _kind(module, channels)
    if kind is None or len(sides) != 1:
        return None
    norm = module if isinstance(module, nn.InstanceNorm2d) and module.running_mean is None else None
    return Layer(node.name, _runner(node, module), tuple(inputs), kind.channels, sides.pop() * kind.up // kind.down,
                 kind.up, kind.down, kind.reach_px, norm)


def _kind(module: nn.Module, channels: list[int]) -> _Kind | None:
    if isinstance(module, _POINTWISE_MODULES):
        return _Kind(channels[0])
    if isinstance(module, Local):
        seen = module(torch.zeros(1, channels[0], _LOCAL_PX, _LOCAL_PX)).shape
        return _Kind(seen[1], max(1, seen[2] // _LOCAL_PX), max(1, _LOCAL_PX // seen[2]), module.reach_px)
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d) or isinstance(module.padding, str):
        return None
    options = set(zip(module.kernel_size, module.stride, module.padding, module.dilation, module.output_padding,
                      strict=True))
    if len(options) != 1:
        return None
    kernel, stride, padding, dilation, added = options.pop()
    last_tap = dilation * (kernel - 1)
    if isinstance(module, nn.ConvTranspose2d):
        # Output o reads inputs i with o = i * stride - padding + tap; each input stands for stride outputs.
        if last_tap + 1 - 2 * padding + added != stride:
            return None
        reach_px = max(stride - 1 + padding, last_tap - padding) // stride
        return _Kind(module.out_channels, stride, 1, reach_px)
    # Output o reads inputs o * stride - padding + tap; it stands for stride inputs.
    if not 0 <= last_tap - 2 * padding < stride:
        return None
    return _Kind(module.out_channels, 1, stride, max(padding, last_tap + 1 - padding - stride))


def _kind_of_function(node: fx.Node, channels: list[int]) -> _Kind | None:
    if node.op != "call_function" or node.target not in _POINTWISE_FUNCTIONS:
        return None
    if node.target is not torch.cat:
        return _Kind(max(channels))
    along = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
    return _Kind(sum(channels)) if along == 1 else None


def _image(*_: Tensor) -> Tensor:
    raise AssertionError("the image is read, not computed")


def _runner(node: fx.Node, module: nn.Module | None) -> Callable[..., Tensor]:
    """The node as a function of its input tensors, which it leaves as they are."""
    call: Callable[..., Tensor]
    if module is not None:
        call = module
    else:
        assert callable(node.target)
        call = node.target
    # An activation in place would write into what is kept for others.
    in_place = bool(getattr(module, "inplace", False) or node.kwargs.get("inplace", False))

    def run(*tensors: Tensor) -> Tensor:
        at = dict(zip(node.all_input_nodes, tensors, strict=True))
        if in_place:
            at = {each: tensor.clone() for each, tensor in at.items()}
        args = fx.map_arg(node.args, lambda each: at[each])
        kwargs = fx.map_arg(node.kwargs, lambda each: at[each])
        return cast("Tensor", call(*args, **kwargs))

    return run
