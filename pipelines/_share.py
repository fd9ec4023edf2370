"""What one worker takes of a node, and for how many there are places: processors, GPUs and memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.cluster import words_for_gpus
from translate.engines.sizes import WHOLE_BYTES_PER_PIXEL_AND_CHANNEL
from translate.engines.sweep import DEFAULT_WIDTH
from translate.translation.core import LARGE_PIXELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from translate.batch.workers import Workers
    from translate.models.translator import Translator
    from translate.provenance import Work

CPUS_PER_WORKER = 2
"""A model of its own for every so many processors, where the number of workers is not given."""
PROCESS_BYTES = 600_000_000
"""A worker with torch and OpenCV, without a model; measured: 540 MB."""
ASPECT = 1.5
"""Long side by short side of a usual photograph."""


@dataclass(frozen=True, slots=True)
class Share:
    """What each worker asks Ray for."""

    cpus: float
    gpus: float
    memory_bytes: int

    def places(self, resources: Mapping[str, float]) -> int:
        """How many workers fit into what a node has, or into what is free."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory_bytes}
        return int(min(resources.get(name, 0.0) // each for name, each in asked.items() if each > 0))

    def __str__(self) -> str:
        gpus = f"{words_for_gpus(self.gpus)}, " if self.gpus else ""
        return f"{gpus}{self.cpus:g} processors and {self.memory_bytes / 1e9:.1f} GB"


def share_out(nodes: Sequence[Mapping[str, float]], workers: Workers, need_bytes: float) -> tuple[int, Share]:
    """Number of workers to begin with, and the share of each, in a cluster of nodes with such resources (Ray's names).

    A worker asks for no more than the largest node has, else Ray would wait for ever for a place. Without any
    suitable node yet (an autoscaler may bring some) it asks for all that it would like to have. A fixed number of
    workers is the user's word: they share what there is, also with less memory than they are thought to need.
    """
    gpus = workers.gpus_each
    usable = [node for node in nodes if node.get("CPU", 0.0) > 0 and node.get("GPU", 0.0) >= gpus]
    cpus, memory = float(CPUS_PER_WORKER), need_bytes
    if usable:
        cpus = min(cpus, max(node["CPU"] / (node["GPU"] // gpus if gpus else 1) for node in usable))
        memory = min(memory, max(node.get("memory", 0.0) for node in usable))
    if workers.least is not None and workers.least == workers.most and usable:
        cpus = min(cpus, sum(node["CPU"] for node in usable) / workers.least)
        memory = min(memory, sum(node.get("memory", 0.0) for node in usable) / workers.least)
    share = Share(float(int(cpus)) if cpus >= 1 else cpus, gpus, int(memory))
    places = sum(share.places(node) for node in usable)
    return max(workers.least or 1, min(places, workers.most or places)), share


def need_bytes(translator: Translator, work: Work) -> int:
    """Memory that a worker is thought to need: its process, the model twice, one image of working size.

    At the images' own size it is one of `LARGE_PIXELS`; larger ones take turns in a worker, and what they need
    beyond this is left to Ray's memory monitor and to `Pool.fewer`.
    """
    weights: int = sum(each.nbytes for each in translator.network.state_dict().values())
    pixels = LARGE_PIXELS if work.size == "native" else min(LARGE_PIXELS, ASPECT * work.size**2)
    width: int = getattr(translator.config, "width", DEFAULT_WIDTH)
    return math.ceil(PROCESS_BYTES + 2 * weights + WHOLE_BYTES_PER_PIXEL_AND_CHANNEL * width * pixels)
