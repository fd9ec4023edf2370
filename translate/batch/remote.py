"""A run that is sent to a cluster, and done there: what can send one, and how it is found.

It is a class named by an entry point of the group ``translate.submitters``, so that the library itself needs no Ray.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast

from translate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GROUP = "translate.submitters"


class Submitter(Protocol):
    """A cluster that takes jobs. All of it raises `ClusterError` if the cluster cannot be reached any more."""

    def submit(
        self, command: Sequence[str], *, output: str, files: Sequence[str], environment: Mapping[str, str]
    ) -> str:
        """Send ``translate <command>`` with this program's code; returns the job's id, which output and attempt make.

        ``output`` is where it writes: a second job for it is refused as long as the first has not ended. ``files``
        are paths below the working folder, which the job finds at the same place below its own. ``environment`` is
        added to the job's; whoever may look at the cluster can read it. Raises `LockedError`, naming the job that is
        at this output.
        """
        ...

    def follow(self, job: str, show: Callable[[str], None]) -> int:
        """Hand on each line that a job writes, from its first, until it ends; returns its exit code."""
        ...


def connect(address: str) -> Submitter:
    """The cluster whose Jobs API is at ``address``. Raises `UsageError` if it is not there, or Ray is not here."""
    advice = "submitting to a cluster needs Ray, which is not installed; pip install 'translate-images[ray]'"
    for point in entry_points(group=GROUP, name="ray"):
        try:
            return cast("Submitter", point.load()(address))
        except ModuleNotFoundError as error:
            raise UsageError(f"{advice} (there is no {error.name!r})") from error
    raise UsageError(advice)
