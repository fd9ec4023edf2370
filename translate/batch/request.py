"""What a run is asked to do, as one frozen, typed request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translate.batch.planning import Overwrite, Selection
    from translate.config import Run
    from translate.engines.torch import Device
    from translate.stores.contract import ObjectStore


@dataclass(frozen=True)
class RunRequest:
    """What one run was asked to do; the command line, `retry` and the library make one of these and nothing else."""

    pipeline: str
    """Name; empty for a model run by itself."""
    source: ObjectStore
    output: ObjectStore
    model: str
    """Whatever names a model, see `translate.registry.open_model`."""
    settings: Run
    selection: Selection
    overwrite: Overwrite = "changed"
    registry_url: str | None = None
    device: Device = "auto"
    choice: str = "auto"
    """Name of an engine, or ``auto``: see `translate.engines.choice`."""
    engine: str | None = None
    """Name of the engine of workers elsewhere; None: what is chosen on this machine."""
    same_place: bool = True
    """Whether equal URLs of both stores mean the same place (not so at two S3 endpoints)."""
