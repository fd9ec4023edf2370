"""A generator as a TorchScript graph: what OpenVINO reads, and what the exports are made of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

import torch

from translate.models.threads import on_all_cores

if TYPE_CHECKING:
    from translate.models.translator import Translator

LEAST_TRACED_PX = 64


def example(translator: Translator) -> torch.Tensor:
    """(1, in_channels, S, S) zeros, S a side that the network takes without padding."""
    multiple = translator.multiple
    side = -(-max(LEAST_TRACED_PX, translator.minimum_px) // multiple) * multiple
    return torch.zeros(1, translator.in_channels, side, side)


def trace(translator: Translator) -> torch.jit.ScriptModule:
    """The network's operations in float32, for one image of any height and width that are multiples of
    ``translator.multiple``."""
    return on_all_cores(lambda: _traced(translator))


def _traced(translator: Translator) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        # TorchScript is no longer developed, and not removed either: both other ways (`torch.export`, and ONNX by it)
        # tie height and width to each other or to the example. What depends on the example here, such as the check
        # that a norm has more than one pixel, is the same at every size that the translator gives.
        warnings.simplefilter("ignore")
        with torch.no_grad():
            traced = torch.jit.trace(  # type: ignore[no-untyped-call] # torch gives it no types
                translator.network, example(translator), check_trace=False)
    return cast("torch.jit.ScriptModule", traced)
