"""Training on Ray: workers of Ray Train, each with its part of every batch, around the loop of one machine.

Ray finds places for the workers and connects them (gloo). What has to last goes through the training's own
checkpoints: a worker that dies ends the others too, and all resume from there.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import ray
import torch
from ray.exceptions import RayError
from ray.train import RunConfig, ScalingConfig, TrainingFailedError, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.cluster import connect, in_one_line, refuse_memory
from translate.errors import ClusterError, NoWorkersError, TranslateError, WorkersDiedError
from translate.progress import Progress, silent
from translate.training import loop
from translate.training.group import Alone, Distributed, check_divides
from translate.training.state import committed, forget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.config import Training
    from translate.progress import Listener
    from translate.stores.contract import ObjectStore
    from translate.training.loop import Trained
    from translate.training.roles import Beginning

DEATHS_WITHOUT_CHECKPOINT = 3
"""So many times in a row that workers die before there is a newer checkpoint end the training."""
GROWTH_TIMEOUT_S = 300.0
"""A cluster that has too few processors may get more within this time."""
WAIT_S = 0.5


def train(
    workers: int,
    training: Training,
    data: ObjectStore,
    output: ObjectStore,
    *,
    begin: Beginning | None = None,
    minutes: float | None = None,
    resume: bool = True,
    on_progress: Listener = silent,
    pipeline: str = "",
) -> Trained:
    """As `translate.training.loop.train`, by so many workers at ``RAY_ADDRESS`` or in a Ray of its own here.

    However it ends, it leaves Ray: that is what ends workers for certain. Raises `NoWorkersError` if Ray cannot be had
    or has too few processors, `WorkersDiedError`, and `ClusterError` if Ray itself was lost.
    """
    check_divides(training.batch, workers)
    refuse_memory((data, output), instead="train without --workers")
    connect()
    try:
        job = _Job(training, data, output, begin, minutes, workers, _processors(workers), _take_notes(), pipeline)
        if not resume:  # by the driver: a worker that comes back has to resume; and when there are places for them
            forget(output)
        _train_through_deaths(job, on_progress)
    except RayError as error:
        raise ClusterError(f"Ray was lost: {in_one_line(error)}. The same command resumes from the last checkpoint"
                           ) from error
    finally:
        ray.shutdown()
    # Modules do not travel: the finished training is read from its last checkpoint, and nothing is left to do.
    return loop.train(training, data, output, begin=begin, minutes=minutes, group=_Reader(workers), device="cpu",
                      pipeline=pipeline)


class _Reader(Alone):
    """The driver in the end, counted as its workers: whether a whole batch fits into its memory is no question."""

    def __init__(self, workers: int) -> None:
        self.size = workers


class _Notes:
    """What the driver hears of its workers: the first one's progress, and the mistake that ended them."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._error: TranslateError | None = None

    def tell(self, progress: Progress) -> None:
        """Take the first worker's report."""
        self._progress = progress

    def fail(self, error: TranslateError) -> None:
        """Take an error that another attempt would only meet again."""
        self._error = self._error or error

    def read(self) -> tuple[Progress | None, TranslateError | None]:
        """The last report and the first error."""
        return self._progress, self._error


def _take_notes() -> Any:  # noqa: ANN401 - Ray's handles have no type
    """Notes on the driver's own machine: with another one they could be lost."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return cast("Any", ray.remote)(num_cpus=0, scheduling_strategy=here)(_Notes).remote()


@dataclass(frozen=True)
class _Job:
    """What each worker is told."""

    training: Training
    data: ObjectStore
    output: ObjectStore
    begin: Beginning | None
    minutes: float | None
    workers: int
    cpus: int
    """Processors for each."""
    notes: Any
    """Handle of `_Notes`; Ray's handles have no type."""
    pipeline: str

    def report(self, done: int, note: str) -> Progress:
        """A report of the driver's own."""
        return Progress(done, None if self.minutes else self.training.images, "images", note)


def _work(config: dict[str, _Job]) -> None:
    """One worker, in a process of its own."""
    job = config["job"]
    torch.set_num_threads(job.cpus)
    group = Distributed()
    try:
        loop.train(job.training, job.data, job.output, begin=job.begin, minutes=job.minutes, group=group, device="cpu",
                   pipeline=job.pipeline, on_progress=job.notes.tell.remote if group.rank == 0 else silent)
    except TranslateError as error:
        ray.get(job.notes.fail.remote(error))
        raise


def _train_through_deaths(job: _Job, on_progress: Listener) -> None:
    """Attempts until one ends well; raises what a worker raised, or `WorkersDiedError` if they keep dying."""
    deaths, newest = 0, _newest(job)
    on_progress(job.report(newest, f"{job.workers} workers starting"))
    while (error := _attempt(job, on_progress)) is not None:
        raised = ray.get(job.notes.read.remote())[1]
        if raised is not None:
            raise raised from error
        if not isinstance(error, TrainingFailedError | RayError):
            raise error
        deaths, newest = deaths + 1 if _newest(job) == newest else 1, _newest(job)
        if deaths == DEATHS_WITHOUT_CHECKPOINT:
            raise WorkersDiedError(
                f"workers died {deaths} times in a row before there was a newer checkpoint than the one at {newest} "
                f"images: {_reason(error)}. Is there memory for {job.workers} workers, and is this program installed "
                "on every node? The same command resumes from that checkpoint"
            ) from error
        on_progress(job.report(newest, f"a worker died; starting again from {newest} images"))


def _attempt(job: _Job, on_progress: Listener) -> BaseException | None:
    """One run of Ray Train, listened to; in a thread, so that an interrupt reaches this one. Returns its error."""
    with tempfile.TemporaryDirectory(prefix="translate-train-", ignore_cleanup_errors=True) as folder:
        trainer = TorchTrainer(
            _work,
            train_loop_config={"job": job},
            torch_config=TorchConfig(backend="gloo"),
            scaling_config=ScalingConfig(num_workers=job.workers, resources_per_worker={"CPU": job.cpus}),
            # Ray would start again after any error, also after one that will only come again: that is ours to say.
            run_config=RunConfig(storage_path=folder, name="run"),
        )
        with ThreadPoolExecutor(1, thread_name_prefix="ray-train") as thread:
            fit = thread.submit(trainer.fit)
            told, patience_until_s = ray.get(job.notes.read.remote())[0], time.monotonic() + GROWTH_TIMEOUT_S
            try:
                while not fit.done():
                    wait([fit], WAIT_S)
                    progress = ray.get(job.notes.read.remote())[0]
                    if progress != told:
                        on_progress(progress)
                        told, patience_until_s = progress, math.inf  # all workers have a place
                    if time.monotonic() > patience_until_s:
                        _refuse_too_few(job.workers, _node_cpus())
            except BaseException:
                ray.shutdown()  # the only way to end the thread's waiting, and the workers
                raise
            return fit.exception()


def share_out(node_cpus: Sequence[float], workers: int) -> int:
    """Whole processors for each worker, as many as all can have; 0 if there are fewer processors than workers."""
    most = int(max(node_cpus, default=0))
    return next((each for each in range(most, 0, -1) if sum(int(cpus // each) for cpus in node_cpus) >= workers), 0)


def _processors(workers: int) -> int:
    """For each worker; one, where a cluster has too few now and may grow."""
    cpus = share_out(_node_cpus(), workers)
    if not cpus and not os.environ.get("RAY_ADDRESS"):
        _refuse_too_few(workers, _node_cpus())
    return cpus or 1


def _node_cpus() -> list[float]:
    return [node["Resources"].get("CPU", 0.0) for node in cast("Any", ray).nodes() if node["Alive"]]


def _refuse_too_few(workers: int, node_cpus: Sequence[float]) -> None:
    if not share_out(node_cpus, workers):
        has = sum(int(cpus) for cpus in node_cpus)
        raise NoWorkersError(f"{workers} workers need a processor each, and Ray has {has}; ask for at most {has} "
                             "workers")


def _newest(job: _Job) -> int:
    """Images of the newest checkpoint, 0 without any."""
    return max(committed(job.output), default=0)


def _reason(error: TrainingFailedError | RayError) -> str:
    """What each worker died of, in a line."""
    if not isinstance(error, WorkerGroupError):
        return in_one_line(error)
    return "; ".join(f"worker {rank}: {in_one_line(failure)}" for rank, failure in error.worker_failures.items())
