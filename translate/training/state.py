"""Everything that a training needs to resume, in one checkpoint: written, then marked.

``checkpoints/<images>.pt`` holds the tensors, ``checkpoints/<images>.json`` (written last) makes it count.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from translate.errors import NotFoundError, TrainingError, UsageError
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from translate.stores.contract import ObjectStore
    from translate.training.pool import HistoryPool

KEEP = 2
"""Committed checkpoints that stay: the newest and one to fall back on."""


@dataclass
class Snapshot:
    """Weights for use, as they were at one moment of the training."""

    seen: int
    figure: float
    """What it was chosen by, lower is better."""
    measure: str
    """Of what, and on how many images: figures of another measure can't be compared with it."""
    networks: dict[str, dict[str, Tensor]]
    averages: dict[str, dict[str, Tensor]]


@dataclass
class State:
    """The moving parts of a training."""

    networks: dict[str, nn.Module]
    averages: dict[str, nn.Module]
    """Moving averages of the generators."""
    optimizers: dict[str, Optimizer]
    pools: dict[str, HistoryPool]
    random: torch.Generator
    seen: int = 0
    """Images seen."""
    seconds: float = 0.0
    """Time spent training, over all sessions."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Status lines so far."""
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    """Evaluations so far."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """What a person should know of: recoveries and warnings."""
    recoveries: int = 0
    """How often the training went back to a checkpoint; each time the rate is halved for good."""
    best: Snapshot | None = None
    """The best snapshot by the evaluations, if there were any."""

    def snapshot(self, figure: float, measure: str) -> Snapshot:
        """A copy of the weights as they are now."""
        def copied(networks: Mapping[str, nn.Module]) -> dict[str, dict[str, Tensor]]:
            return {name: {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
                    for name, network in networks.items()}

        return Snapshot(self.seen, figure, measure, copied(self.networks), copied(self.averages))


def save_checkpoint(store: ObjectStore, state: State, config_digest: str) -> None:
    """Write the checkpoint, then its marker; older ones than the last `KEEP` go."""
    buffer = io.BytesIO()
    torch.save(
        {
            "networks": {name: network.state_dict() for name, network in state.networks.items()},
            "averages": {name: network.state_dict() for name, network in state.averages.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in state.optimizers.items()},
            "pools": {name: pool.images for name, pool in state.pools.items()},
            "random": state.random.get_state(),
            "torch_random": torch.get_rng_state(),
            "seen": state.seen,
            "seconds": state.seconds,
            "history": state.history,
            "evaluations": state.evaluations,
            "events": state.events,
            "recoveries": state.recoveries,
            "best": None if state.best is None else vars(state.best),
        },
        buffer,
    )
    data, name = buffer.getvalue(), f"checkpoints/{state.seen:010d}"
    store.put(f"{name}.pt", data)
    marker = {"seen": state.seen, "digest": _sha256(data), "config": config_digest}
    store.put(f"{name}.json", json.dumps(marker).encode(), content_type="application/json")
    for old in committed(store)[:-KEEP]:
        store.delete(f"checkpoints/{old:010d}.json")
        store.delete(f"checkpoints/{old:010d}.pt")


def load_checkpoint(store: ObjectStore, state: State, config_digest: str) -> bool:
    """Put the newest committed checkpoint into ``state``; False if there is none.

    Raises `TrainingError` if it is damaged, `UsageError` if it belongs to another configuration.
    """
    markers = committed(store)
    if not markers:
        return False
    name = f"checkpoints/{markers[-1]:010d}"
    place = f"{store.url.rstrip('/')}/{name}.pt"
    marker = json.loads(read_record(store, f"{name}.json").data)
    if marker["config"] != config_digest:
        raise UsageError(f"{store.url} holds a training of another configuration; give another --output, the "
                         "same configuration, or --resume never")
    try:
        data = read_record(store, f"{name}.pt").data
    except NotFoundError as error:
        raise TrainingError(f"{place} is gone; remove {name}.json to use the one before") from error
    if _sha256(data) != marker["digest"]:
        raise TrainingError(f"{place} is damaged (its digest differs); remove {name}.json to use the one "
                            "before")
    try:
        kept: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise TrainingError(f"{place} can't be read: {error}") from error
    for part in ("networks", "averages", "optimizers"):
        for key, module in getattr(state, part).items():
            module.load_state_dict(kept[part][key])
    for key, pool in state.pools.items():
        pool.images = kept["pools"][key]
    state.random.set_state(kept["random"])
    torch.set_rng_state(kept["torch_random"])
    for part in ("seen", "seconds", "history", "evaluations", "events", "recoveries"):
        setattr(state, part, kept[part])
    state.best = None if kept["best"] is None else Snapshot(**kept["best"])
    return True


def forget(store: ObjectStore) -> None:
    """Remove every checkpoint and sample sheet, so that the next training is alone here; markers go first."""
    for seen in committed(store):
        store.delete(f"checkpoints/{seen:010d}.json")
        store.delete(f"checkpoints/{seen:010d}.pt")
    for sheet in list(store.list("samples/")):
        store.delete(sheet.key)


def committed(store: ObjectStore) -> list[int]:
    """Images seen at each checkpoint that counts, ascending."""
    keys = [info.key for info in store.list("checkpoints/") if info.key.endswith(".json")]
    return sorted(int(key.removeprefix("checkpoints/").removesuffix(".json")) for key in keys)


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
