"""Batch translation on Ray: a pool of actors, each with one model and the same stages as on one machine.

The driver hands out units of work and hears of entries as they come; it never touches a pixel.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import ray
from ray.exceptions import RayError, RayTaskError

from pipelines._actor import engine_here
from pipelines._dispatch import INSTALLED, Dispatch
from pipelines._pool import Pool
from pipelines._share import need_bytes, share_out
from pipelines.cluster import connect, in_one_line, nodes, ours, refuse_memory, words_for_gpus
from translate.errors import TranslateError, UsageError
from translate.registry import fetch_model

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from translate.batch.executor import Finished
    from translate.batch.worker import Task
    from translate.batch.workers import Workers
    from translate.engines.torch import Device
    from translate.records.ledger import Entry
    from translate.records.manifest import Unit

GROWTH_TIMEOUT_S = 300.0
"""A cluster without a free GPU may get one within this time."""
OWN_RAY_TIMEOUT_S = 60.0
"""A Ray of our own does not grow."""


class RayExecutor:
    """Does units in a pool of Ray actors, at ``RAY_ADDRESS`` or in a Ray of its own on this machine."""

    name = "ray"

    def __init__(self, workers: Workers) -> None:
        connect()
        self._asked = workers
        self._at_work, _ = share_out(nodes(), workers, 0)

    @property
    def workers(self) -> int:
        """Actors to begin with; after a run the most that there were."""
        return self._at_work

    def engine_name(self, device: Device) -> str:
        """Name of the engine that a worker has, by its own word; Ray finds it a place with the GPUs asked for.

        Raises `UsageError` if there is no such place, or no such device there.
        """
        gpus = self._asked.gpus_each
        grows = bool(os.environ.get("RAY_ADDRESS"))
        if not grows and gpus > max(node.get("GPU", 0.0) for node in nodes()):
            raise UsageError(_no_place(gpus, "on this machine"))
        timeout_s = GROWTH_TIMEOUT_S if grows else OWN_RAY_TIMEOUT_S
        answer = cast("Any", ray.remote)(num_cpus=1, num_gpus=gpus)(engine_here).remote(device)
        if not ray.wait([answer], timeout=timeout_s)[0]:
            ray.cancel(answer, force=True)
            raise UsageError(_no_place(gpus, f"within {timeout_s:g} s"))
        try:
            return cast("str", ray.get(answer))
        except RayTaskError as error:
            raised = ours(error)
            if not isinstance(raised, TranslateError):
                raise TranslateError(f"a worker could not start: {in_one_line(error)}. {INSTALLED}") from error
            raise raised from error
        except RayError as error:
            raise TranslateError(f"the worker that was asked for its GPU is gone: {in_one_line(error)}") from error

    def run(
        self,
        task: Task,
        units: Iterable[Unit],
        report: Callable[[Entry], None],
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Generator[Finished, None, None]:
        """As `translate.batch.executor.Executor` says; units finish in any order."""
        refuse_memory((task.source, task.output), instead="use --executor local")
        model = fetch_model(task.model, task.registry_url)
        pool = Pool(task, ray.put(model), self._asked, need_bytes(model.open(), task.work))
        unused = sum(node.get("GPU", 0.0) for node in nodes()) if not self._asked.gpus_each else 0

        def say_of_gpus(words: str) -> None:
            has = f"Ray has {words_for_gpus(unused)}: --gpus-per-worker 1 uses them"
            say(f"{words}; {has}" if words and unused else words)

        try:
            yield from Dispatch(units, pool, report, stopped, say_of_gpus).run()
        finally:
            self._at_work = max(pool.peak, 1)
            pool.close()


def _no_place(gpus: float, where: str) -> str:
    has = sum(node.get("GPU", 0.0) for node in nodes())
    return (f"no worker finds a place with {words_for_gpus(gpus)} {where}: Ray has {words_for_gpus(has)} in all. Ask "
            "for fewer with --gpus-per-worker, or leave it out")
