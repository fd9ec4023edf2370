"""Reading a network's layers disturbs no other network that is being computed meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import engine_networks
import torch
from torch import fx, nn

from translate.engines._layers import read_layers
from translate.models.translator import Translator

OPTIONS = {"architecture": "resnet", "width": 4, "blocks": 1}


class Watched(nn.Module):
    """A network; while its layers are read, another thread computes another one."""

    def __init__(self, network: nn.Module, other: nn.Module, x: torch.Tensor) -> None:
        super().__init__()
        self.network, self.config = network, network.config
        self.beside: list[tuple[object, torch.Tensor]] = []
        self._others = lambda: (nn.Module.__call__, other(x))

    def forward(self, x):
        if isinstance(x, fx.Proxy):
            with ThreadPoolExecutor(1) as thread:
                self.beside.append(thread.submit(self._others).result())
        return self.network(x)


@torch.inference_mode()
def test_a_network_in_another_thread_is_computed_as_ever():
    traced, other = engine_networks.translator(OPTIONS), engine_networks.translator(OPTIONS).network
    x, call = torch.rand(1, 3, 32, 32), nn.Module.__call__
    wanted = other(x)
    watched = Watched(traced.network, other, x)
    layers = read_layers(Translator(watched, traced.facts))
    assert len(layers) == len(read_layers(traced))
    (call_meanwhile, found), = watched.beside
    assert type(found) is torch.Tensor
    assert torch.equal(found, wanted)
    assert call_meanwhile is call
