"""Which passes over an image translate it: what is kept between them, and what is computed anew instead.

A network is cut where statistics of a whole image are needed and where a layer looks at its neighbours. Small results
(lower resolutions) are kept there, large ones (the image's own resolution) are computed anew in every pass that needs
them: once for their statistics, once more for what follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.engines._layers import IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.engines._layers import Layer


@dataclass(frozen=True)
class Pass:
    """One walk over all parts of one layer's output."""

    target: int
    cone: tuple[int, ...]
    """Layers to compute for a part of the target, in order, the target last."""
    reads: tuple[int, ...]
    """What the cone begins with: kept layers, the image."""
    keep: bool
    """Whether the target is kept as a whole."""
    norms: tuple[int, ...]
    """Layers that need the target's statistics."""
    frees: tuple[int, ...]
    """What was kept and is not needed afterwards."""


def plan_passes(layers: Sequence[Layer], most_values: float) -> list[Pass]:
    """The passes that end with the network's output.

    Kept is what has at most ``most_values`` values per pixel of the image.
    """
    consumers: dict[int, list[int]] = {index: [] for index in range(len(layers))}
    for index, layer in enumerate(layers):
        for each in layer.inputs:
            consumers[each].append(index)
    kept = {index for index in range(1, len(layers))
            if values_per_px(layers, index) <= most_values and _is_worth_keeping(layers, consumers, index)}
    last = len(layers) - 1
    found: list[Pass] = []
    for index in range(1, len(layers)):
        norms = tuple(each for each in consumers[index] if layers[each].norm is not None)
        if index in kept or norms or index == last:
            cone, reads = _cone(layers, index, kept)
            found.append(Pass(index, cone, reads, index in kept, norms, ()))
    return _with_frees(found)


def last_pass(layers: Sequence[Layer]) -> Pass:
    """The pass that computes everything anew, where all statistics are known."""
    cone, reads = _cone(layers, len(layers) - 1, set())
    return Pass(len(layers) - 1, cone, reads, keep=False, norms=(), frees=())


def values_per_px(layers: Sequence[Layer], index: int) -> float:
    """Values of a layer's output for each pixel of the image."""
    return layers[index].channels * (layers[index].side / layers[IMAGE].side) ** 2


def kept_values_per_px(layers: Sequence[Layer], passes: Sequence[Pass]) -> float:
    """The most that is kept at any time, in values per pixel of the image."""
    most = now = 0.0
    for each in passes:
        now += values_per_px(layers, each.target) if each.keep else 0.0
        most = max(most, now)
        now -= sum(values_per_px(layers, index) for index in each.frees)
    return most


def working_values(layers: Sequence[Layer], each: Pass) -> float:
    """The most that lives while a part of a pass is computed, in values per pixel of the target."""
    def values(index: int) -> float:
        return layers[index].channels * (layers[index].side / layers[each.target].side) ** 2

    last_use = last_uses(layers, each)
    now = most = sum(values(index) for index in each.reads)
    for index in each.cone:
        padded = sum(values(before) for before in layers[index].inputs)
        now += values(index)
        most = max(most, now + padded)
        now -= sum(values(before) for before in set(layers[index].inputs) if last_use[before] == index)
    return most


def last_uses(layers: Sequence[Layer], each: Pass) -> dict[int, int]:
    """Layer -> the last one in the cone that uses it."""
    return {before: index for index in each.cone for before in layers[index].inputs}


def _is_worth_keeping(layers: Sequence[Layer], consumers: dict[int, list[int]], index: int) -> bool:
    """Whether a layer is dear to compute, and what follows would compute it again and again."""
    layer = layers[index]
    is_new = layer.reach_px > 0 or layer.up != layer.down or (
        layer.channels < sum(layers[each].channels for each in layer.inputs))
    return is_new and _is_looked_around_in(layers, consumers, index)


def _is_looked_around_in(layers: Sequence[Layer], consumers: dict[int, list[int]], index: int) -> bool:
    return any(
        layers[each].norm is not None or layers[each].reach_px > 0 or _is_looked_around_in(layers, consumers, each)
        for each in consumers[index])


def _cone(layers: Sequence[Layer], target: int, kept: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    cone, reads, waiting = {target}, set[int](), [target]
    while waiting:
        for each in layers[waiting.pop()].inputs:
            if each == IMAGE or each in kept:
                reads.add(each)
            elif each not in cone:
                cone.add(each)
                waiting.append(each)
    return tuple(sorted(cone)), tuple(sorted(reads))


def _with_frees(passes: list[Pass]) -> list[Pass]:
    last_read = {index: number for number, each in enumerate(passes) for index in each.reads if index != IMAGE}
    return [Pass(each.target, each.cone, each.reads, each.keep, each.norms,
                 tuple(index for index, last in last_read.items() if last == number))
            for number, each in enumerate(passes)]
