"""What the jobs share: a Ray to work on, and its explanations in one line."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import ray
from ray.exceptions import AuthenticationError, OutOfMemoryError, RayTaskError

import pipelines
import translate
from translate.errors import NoWorkersError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from translate.stores.contract import ObjectStore

CONNECT_TIMEOUT_S = 5.0


def refuse_memory(stores: Iterable[ObjectStore], instead: str) -> None:
    """Raise `UsageError` for a store that only this process can see; ``instead`` says how to do without Ray."""
    for store in stores:
        if store.url.startswith("memory:"):
            raise UsageError(
                f"{store.url} is in the memory of this process, where Ray's workers cannot reach it; "
                f"{instead}, or another store"
            )


def in_one_line(error: Exception) -> str:
    """The one line of Ray's explanation that says most, without its guesses: of a lack of memory the first, else the
    last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    line = lines[0 if isinstance(error, OutOfMemoryError) else -1]
    return line.partition(" Some common causes include")[0].rstrip(".")


def connect() -> None:
    """Attach to the Ray at ``RAY_ADDRESS``, or start one here; quietly, and without taking over SIGTERM.

    A cluster gets this program's code, so that its machines need only the packages that it uses. Raises
    `NoWorkersError` if nobody can be reached at the address, or it is a Ray that this one cannot work with.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's own default is 15: beside any other work its workers would get next to nothing of the processors.
    os.environ.setdefault("RAY_worker_niceness", "0")
    handler = signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    address = os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _refuse_silence(address)
            # As paths: in a job of `ray job submit` Ray copies this, and modules cannot be copied.
            code = [str(Path(str(package.__file__)).parent) for package in (translate, pipelines)]
            ray.init(**quiet, runtime_env={"py_modules": code})
        else:
            _start_here(quiet)
    except (ConnectionError, ValueError, RuntimeError, AuthenticationError) as error:
        if not address:
            raise
        reason = " ".join(str(error).split()).rstrip(".")
        raise NoWorkersError(
            f"cannot connect to Ray at RAY_ADDRESS={address}: {reason}. Correct it, or unset it to start Ray here"
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
    # Ray would print notices (a node lost, a worker dead) on stdout, which is for results; it has no option for that.
    cast("Any", ray)._private.worker._worker_logs_enabled = False  # noqa: SLF001
    atexit.register(_let_signals_end)  # runs before Ray's own, which was registered earlier


def words_for_gpus(count: float) -> str:
    """``1 GPU``, ``0.5 GPUs``, ``no GPU``."""
    return "no GPU" if count == 0 else f"{count:g} GPU{'' if count == 1 else 's'}"


def nodes() -> list[Mapping[str, float]]:
    """Resources of each node that is alive, by Ray's names: CPU, GPU, memory (bytes)."""
    return [node["Resources"] for node in cast("Any", ray).nodes() if node["Alive"]]


def is_lost(node: str) -> bool:
    """Whether the node of this id is gone."""
    return all(each["NodeID"] != node for each in cast("Any", ray).nodes() if each["Alive"])


def ours(error: RayTaskError) -> BaseException:
    """The exception that a worker raised, as it was raised there."""
    return error.cause if isinstance(error.cause, BaseException) else error


def _start_here(quiet: Mapping[str, Any]) -> None:
    """Start a Ray on this machine; raises `NoWorkersError` if it does not come up, as on one that is far too busy, or
    whose memory is."""
    try:
        ray.init(address="local", include_dashboard=False, **quiet)
    except Exception as error:
        # After 30 s Ray raises nothing more special than this; of memory, shared memory and ports it says more.
        if type(error) is not Exception and not isinstance(error, OSError | RuntimeError | ValueError):
            raise
        raise NoWorkersError(
            f"Ray did not start on this machine: {in_one_line(error)}. Is it busy, or its memory full (also /dev/shm, "
            "in a container)? Try again, or use one worker in this process: --executor local, or no --workers"
        ) from error


def _let_signals_end() -> None:
    """While Python leaves Ray at its end, a signal ends it at once; an exception in there would be a traceback."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def _refuse_silence(address: str) -> None:
    """Raise `ConnectionError` if nobody listens at ``host:port``; Ray itself would try for minutes."""
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    if parts.port is None:  # auto, local
        return
    try:
        socket.create_connection((parts.hostname or "", parts.port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers there ({error.strerror or error})") from error
