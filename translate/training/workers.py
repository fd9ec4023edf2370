"""Where a training is done: by this process, or by several workers, a job that an entry point names, so that the
library itself needs no Ray."""

from __future__ import annotations

from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from translate.errors import UsageError
from translate.training.loop import train

if TYPE_CHECKING:
    from collections.abc import Callable

    from translate.config import Training
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore
    from translate.training.loop import Trained
    from translate.training.networks import Device
    from translate.training.roles import Beginning

GROUP = "translate.trainers"


class Train(Protocol):
    """`translate.training.loop.train`, wherever it is done, with the same outcome and the same errors."""

    def __call__(
        self,
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
        """Train to the end."""
        ...


def refuse_gpu(workers: int | None, device: Device) -> None:
    """Raise `UsageError` for workers and a GPU."""
    if workers is not None and device == "cuda":
        raise UsageError("--workers trains on processors; leave out --device cuda, or --workers")


def find_train(workers: int | None, device: Device) -> Train:
    """Training by so many workers on Ray, or, with None, by this process on a device.

    Raises `UsageError` if Ray is not installed.
    """
    if workers is None:
        return partial(train, device=device)
    return cast("Train", partial(_find_trainer(), workers))


def _find_trainer() -> Callable[..., Trained]:
    advice = "--workers trains on Ray, which is not installed; pip install 'translate-images[ray]', or leave it out"
    for point in entry_points(group=GROUP, name="ray"):
        try:
            return cast("Callable[..., Trained]", point.load())
        except ModuleNotFoundError as error:
            raise UsageError(f"{advice} (there is no {error.name!r})") from error
    raise UsageError(advice)
