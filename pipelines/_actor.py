"""What runs in a worker's process: one model and the stages, on whatever machine Ray has found for it.

Nothing heavy is imported at the top: a machine on which the program does not work can still say so.
"""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import ray

import translate
from translate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from translate.batch.worker import Task
    from translate.engines.torch import Device
    from translate.records.ledger import Entry
    from translate.records.manifest import Item
    from translate.registry import FetchedModel

_OF_ONE_MACHINE = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CA_BUNDLE")
"""Name something in files that another machine has not; so does every ``AWS_..._FILE``, and every ``AWS_CONTAINER_...``
names what gives this container alone its credentials."""
_OF_OTHER_KEYS = ("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""Would be mixed with the driver's keys, if a worker's machine has them."""


@dataclass(frozen=True, slots=True)
class Program:
    """What has to be the same on every machine."""

    version: str
    python: str

    @classmethod
    def here(cls) -> Self:
        """The program of this process."""
        return cls(translate.__version__, ".".join(platform.python_version_tuple()[:2]))

    def __str__(self) -> str:
        return f"translate {self.version} with Python {self.python}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The driver's settings of S3, its credentials among them; goes to the workers as the argument of a call, which
    Ray neither stores nor shows (it does show a ``runtime_env``)."""

    values: dict[str, str] = field(repr=False)

    @classmethod
    def here(cls) -> Self:
        """The settings ``AWS_...`` of this process, without those that only have a meaning on this machine."""
        return cls({
            name: value
            for name, value in os.environ.items()
            if name.startswith("AWS_") and not name.startswith("AWS_CONTAINER_") and not name.endswith("_FILE")
            and name not in _OF_ONE_MACHINE
        })

    def take_over(self) -> None:
        """Make them this process's own; has to come before any store is used."""
        if "AWS_ACCESS_KEY_ID" in self.values:
            for name in _OF_OTHER_KEYS:
                os.environ.pop(name, None)
        os.environ.update(self.values)


class Actor:
    """A worker. Runs two calls at a time, so that it can be stopped.

    What can fail is not in ``__init__``, so that its errors arrive as they are.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def arrive(self, driver: Program) -> str:
        """Id of the node that it is on. Raises `UsageError` if the program there is another than the driver's."""
        refuse_another(driver, Program.here())
        node: str = ray.get_runtime_context().get_node_id()
        return node

    def load(self, task: Task, model: FetchedModel, settings: Settings) -> None:
        """Load the model. Raises `UsageError` if this machine has not what the task needs: a folder, the device, or
        the certificate and key to sign with (which stay where they are, see `translate.images.credentials`)."""
        settings.take_over()
        from translate.batch.worker import Worker, open_engine

        if "://" not in task.source.url and not Path(task.source.url).is_dir():
            raise UsageError(
                f"the folder {task.source.url} is not on {where()}: workers on several machines need a file system "
                "that all of them have at the same place, or a bucket (s3://bucket/prefix/)"
            )
        try:
            self._worker = Worker(task, open_engine(task, model.open()))
        except UsageError as error:
            raise UsageError(f"{where()} can't do this run's work: {error}") from error

    def process(self, items: tuple[Item, ...]) -> Iterator[Entry]:
        """The entries of some items, each as soon as it is there."""
        for entry in self._worker.process(items, self._stopped.is_set):  # noqa: UP028 - Ray sends values into this one
            yield entry

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopped.set()


def refuse_another(driver: Program, program: Program) -> None:
    """Raise `UsageError` if this machine's program is not the driver's."""
    if program != driver:
        raise UsageError(
            f"{where()} has {program}, but the command runs {driver}: install the same on every machine of the cluster"
        )


def engine_here(device: Device) -> str:
    """Name of the engine that a worker has with the GPUs that Ray gives it; raises `UsageError` if it finds none."""
    from translate.engines.opening import device_of
    from translate.engines.torch import engine_name

    name = engine_name(device)
    if device == "auto" and device_of(name) == "cpu":
        raise UsageError(
            f"Ray has given a worker on {where()} a GPU, but PyTorch finds no CUDA there; install a PyTorch with CUDA "
            "and the driver on that machine, or leave out --gpus-per-worker"
        )
    return name


def where() -> str:
    """This machine, for people."""
    return f"node {cast('Any', ray.util).get_node_ip_address()} ({platform.node()})"
