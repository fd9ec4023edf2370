"""Training by several workers: a job that an entry point names, so that the library itself needs no Ray."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from translate.errors import UsageError

if TYPE_CHECKING:
    from translate.config import Training
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore
    from translate.training.loop import Trained
    from translate.training.roles import Beginning

GROUP = "translate.trainers"


class Trainer(Protocol):
    """`translate.training.loop.train` by so many workers, with the same outcome and the same errors."""

    def __call__(
        self,
        workers: int,
        training: Training,
        data: ObjectStore,
        output: ObjectStore,
        *,
        begin: Beginning | None,
        minutes: float | None,
        resume: bool,
        on_progress: Listener,
        pipeline: str,
    ) -> Trained:
        """Start the workers, wait for them, start them again if one dies."""
        ...


def find_trainer() -> Trainer:
    """The job that trains on Ray; raises `UsageError` if it is not installed."""
    advice = "--workers trains on Ray, which is not installed; pip install 'translate-images[ray]', or leave it out"
    for point in entry_points(group=GROUP, name="ray"):
        try:
            return cast("Trainer", point.load())
        except ModuleNotFoundError as error:
            raise UsageError(f"{advice} (there is no {error.name!r})") from error
    raise UsageError(advice)
