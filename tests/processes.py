"""Several processes that train together over gloo, as Ray's workers do, without Ray."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import torch
from torch import distributed
from torch import multiprocessing as mp

from translate.stores import open_store
from translate.training import loop
from translate.training.group import Distributed

if TYPE_CHECKING:
    from collections.abc import Callable


def together(size: int, function: Callable[..., None], *arguments: Any) -> None:
    """Call ``function(group, *arguments)`` in ``size`` processes; their first exception is raised here."""
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(_one, (size, f"file://{folder}/meeting", function, arguments), nprocs=size,
                           start_method="spawn")


def _one(rank: int, size: int, meeting: str, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    function(Distributed(), *arguments)
    distributed.destroy_process_group()


def exchange_numbers(group: Distributed, folder: str) -> None:
    """Use every method of the group and keep what came out."""
    mine = [torch.full((2, 3), float(group.rank)), torch.tensor([1.0 if group.rank else float("nan")])]
    group.average(mine)
    gathered = group.gather(torch.full((2, 1, 4, 4), group.rank, dtype=torch.bfloat16)
                            .to(memory_format=torch.channels_last))
    torch.save({"average": mine, "gathered": gathered, "agreed": group.agree(10.0 + group.rank)},
               f"{folder}/{group.rank}.pt")


def train_part(group: Distributed, training: Any, data: str, output: str) -> None:
    """The loop, as one of the group, with a status line for every step."""
    loop.STATUS_SECONDS = 0
    loop.train(training, open_store(data), open_store(output), group=group)
