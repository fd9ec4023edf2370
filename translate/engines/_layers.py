"""A generator's ``forward`` as a list of layers, each knowing which part of its input a part of its output needs.

Read off the network by `torch.fx`, so an architecture describes itself once, in its own ``forward``. What a layer of
torch looks at follows from its options; a layer of an architecture's own says it itself (`translate.models.contract.
Local`). Channels and sizes are not declared but seen, by a pass of tensors that have shapes and no memory.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import fx, nn
from torch._subclasses.fake_tensor import FakeTensorMode
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
    """Of the output, where the image's is `reference_side`."""
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


def reference_side(translator: Translator) -> int:
    """Side of the square image on which a network's layers are measured, in pixels."""
    return 16 * max(translator.multiple, translator.minimum_px)


def read_layers(translator: Translator) -> list[Layer]:
    """The layers of a translator's network in the order of computation, the image first, the output last.

    Raises `ModelError` if there is one of which it is not known what it looks at.
    """
    network, side = translator.network, reference_side(translator)
    try:
        graph = _Tracer().trace(network)
    except fx.proxy.TraceError as error:
        raise _unknown(translator, "forward", str(error)) from error
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        shapes = _Shapes(fx.GraphModule(network, graph))
        shapes.run(torch.empty(1, translator.in_channels, side, side))
    layers: list[Layer] = []
    index: dict[fx.Node, int] = {}
    for node in graph.nodes:
        if node.op == "output":
            break
        inputs = tuple(index[each] for each in node.all_input_nodes)
        index[node] = len(layers)
        layer = _layer(node, network, inputs, layers, shapes.of[node])
        if layer is None:
            raise _unknown(translator, node.name, str(node.target))
        layers.append(layer)
    return layers


def _unknown(translator: Translator, name: str, kind: str) -> ModelError:
    return ModelError(
        f"the architecture {translator.facts.architecture!r} cannot be translated in parts: of {name!r} ({kind}) it is "
        "not known what it looks at; let the layer say so (translate/engines/README.md), or give a working size with "
        "--size that fits into memory")


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Torch's own modules, and those that say what they look at."""
        return isinstance(m, Local) or super().is_leaf_module(m, module_qualified_name)


class _Shapes(fx.Interpreter):
    """Runs a graph and keeps the shape of every step's output."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.of: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:  # noqa: ANN401 - torch's own signature
        """One step, as ever."""
        result = super().run_node(n)
        self.of[n] = tuple(getattr(result, "shape", ()))
        return result


def _layer(
    node: fx.Node, network: nn.Module, inputs: tuple[int, ...], before: list[Layer], shape: tuple[int, ...]
) -> Layer | None:
    """A step as a layer, None if it is of a kind that cannot be computed in parts."""
    _, channels, side, width = shape if len(shape) == 4 else (0, 0, 0, 1)
    if node.op == "placeholder":
        return Layer("image", _image, (), channels, side, 1, 1, 0, None)
    module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
    reach_px = _reach_px(node, module)
    sides = {before[each].side for each in inputs}
    if reach_px is None or side != width or len(sides) != 1:
        return None
    below = sides.pop()
    if below % side and side % below:
        return None
    norm = module if isinstance(module, nn.InstanceNorm2d) and module.running_mean is None else None
    return Layer(node.name, _runner(node, module), inputs, channels, side, max(1, side // below), max(1, below // side),
                 reach_px, norm)


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
    in_place = bool(getattr(module, "inplace", False))

    def run(*tensors: Tensor) -> Tensor:
        at = dict(zip(node.all_input_nodes, tensors, strict=True))
        if in_place:
            at = {each: tensor.clone() for each, tensor in at.items()}
        args = fx.map_arg(node.args, lambda each: at[each])
        kwargs = fx.map_arg(node.kwargs, lambda each: at[each])
        return cast("Tensor", call(*args, **kwargs))

    return run


def _reach_px(node: fx.Node, module: nn.Module | None) -> int | None:
    """How far a step looks beyond its own place, None if that is not known."""
    if isinstance(module, Local):
        return module.reach_px
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not isinstance(module.padding, str):
        reach = _reach_of_transposed if isinstance(module, nn.ConvTranspose2d) else _reach_of_convolution
        options = zip(module.kernel_size, module.stride, module.padding, module.dilation, strict=True)
        return max(reach(*each) for each in options)
    pointwise = isinstance(module, _POINTWISE_MODULES) or (
        node.op == "call_function" and node.target in _POINTWISE_FUNCTIONS)
    return 0 if pointwise else None


def _reach_of_convolution(kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Output ``o`` of a convolution reads inputs ``o * stride - padding + tap``; its own are the next ``stride``."""
    return max(padding, dilation * (kernel - 1) + 1 - padding - stride)


def _reach_of_transposed(kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Output ``o`` of a transposed convolution reads inputs ``i`` with ``o = i * stride - padding + tap``."""
    last_tap = dilation * (kernel - 1)
    return max((stride - 1 + padding) // stride, (last_tap - padding) // stride)
