"""Computing a part of a layer's output from parts of what was kept, exactly as in the whole image.

Every layer runs on its input's part with a margin as wide as it looks, and what its own padding has spoilt at the
part's edges is cut off. At the borders of the image the part has no margin, so that the padding there is the layer's
own, as ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch.nn import functional as F

from translate.engines._passes import last_uses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from translate.engines._layers import Layer
    from translate.engines._passes import Pass

Statistics = tuple["Tensor", "Tensor"]
"""Mean and variance (biased) of each channel, (C,) float32."""


class Box(NamedTuple):
    """A part of a layer's output, in its own pixels; ends are exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    def hull(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.top, other.top), max(self.bottom, other.bottom),
                   min(self.left, other.left), max(self.right, other.right))

    def common(self, other: Box) -> Box:
        """Where both lie; without pixels if they lie apart."""
        return Box(max(self.top, other.top), min(self.bottom, other.bottom),
                   max(self.left, other.left), min(self.right, other.right))

    def of(self, x: Tensor, at: Box | None = None) -> Tensor:
        """This box of a part that lies ``at``, or of the whole."""
        top, left = (at.top, at.left) if at else (0, 0)
        return x[..., self.top - top : self.bottom - top, self.left - left : self.right - left]


def compute(
    layers: Sequence[Layer],
    each: Pass,
    box: Box,
    sizes: Sequence[tuple[int, int]],
    read: Callable[[int, Box], Tensor],
    statistics: Mapping[int, Statistics],
) -> Tensor:
    """The part ``box`` of the target of a pass, (1, C, h, w).

    ``sizes`` are height and width of every layer's output, ``read`` gives parts of what the cone begins with, and
    ``statistics`` those of every norm in the cone.
    """
    boxes = {each.target: box}
    for index in reversed(each.cone):
        for before in layers[index].inputs:
            needed = _needed(layers[index], boxes[index], sizes[before])
            boxes[before] = needed.hull(boxes[before]) if before in boxes else needed
    last_use = last_uses(layers, each)
    parts = {index: read(index, boxes[index]) for index in each.reads}
    for index in each.cone:
        layer = layers[index]
        inputs = {before: _needed(layer, boxes[index], sizes[before]) for before in layer.inputs}
        tensors = [needed.of(parts[before], boxes[before]) for before, needed in inputs.items()]
        result = layer.run(*tensors) if layer.norm is None else _normalise(layer, tensors[0], statistics[index])
        parts[index] = boxes[index].of(result, _output(layer, next(iter(inputs.values()))))
        for before in inputs:
            if last_use[before] == index:
                del parts[before]
    return parts[each.target]


def _needed(layer: Layer, box: Box, size: tuple[int, int]) -> Box:
    return Box(*layer.needs(box.top, box.bottom, size[0]), *layer.needs(box.left, box.right, size[1]))


def _output(layer: Layer, needed: Box) -> Box:
    """Where the layer's output lies for this part of its input."""
    return Box(*(side * layer.up // layer.down for side in needed))


def _normalise(layer: Layer, x: Tensor, statistics: Statistics) -> Tensor:
    """Instance norm with the statistics of the whole image."""
    assert layer.norm is not None
    return F.batch_norm(x, *statistics, layer.norm.weight, layer.norm.bias, training=False, eps=layer.norm.eps)
