"""The pool of workers: how many there are, between bounds, as the cluster and the work that is left allow."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import ray

from pipelines._actor import Actor, Program, Settings
from pipelines._share import share_out
from pipelines.cluster import nodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.batch.worker import Task
    from translate.batch.workers import Workers
    from translate.records.manifest import Item

LOOK_EVERY_S = 1.0
"""Between two questions to Ray what is free."""
PLACE_TIMEOUT_S = 30.0
"""A worker beyond the least that has found no place after this is given up ..."""
GIVEN_UP_S = 60.0
"""... and so long no other is tried: what is free in all is free on no single node."""


@dataclass(eq=False, slots=True)
class Member:
    """A worker of the pool."""

    actor: Any
    """Ray's handles have no type."""
    asked_s: float
    """When it was asked for."""
    state: Literal["waiting", "loading", "idle", "busy"] = "waiting"
    """Waiting for a place, loading its model, without or with work."""
    node: str = ""
    """Id of its node, once it has a place."""


def change(
    members: Sequence[Member], bounds: Workers, free: int, now_s: float, *, more: bool
) -> tuple[int, list[Member]]:
    """How many workers to start, and which to retire: the one place that decides about the size of the pool.

    ``free``: places for further workers now; ``more``: there is work that nobody has. Nobody is retired with work in
    hand. Up to the least, workers are started whether there is a place or not: an autoscaler brings nodes only for
    those that wait.
    """
    least, most = bounds.least or 1, bounds.most or math.inf
    without_work = [m for state in ("waiting", "loading", "idle") for m in members if m.state == state]
    surplus = len(members) - (most if more else least)
    late = [m for m in without_work if m.state == "waiting" and now_s - m.asked_s > PLACE_TIMEOUT_S]
    surplus = max(surplus, min(len(late), len(members) - least), 0)
    retired = without_work[: int(surplus)]
    left = len(members) - len(retired)
    if not more or retired:
        return 0, retired
    if left < least:
        return least - left, retired
    if any(member.state in ("waiting", "idle") for member in members):
        return 0, retired
    return int(max(0, min(free, most - left))), retired


class Pool:
    """Workers at Ray. A dead one is only taken out; `adjust` starts another if there is a place for it."""

    def __init__(self, task: Task, model: Any, asked: Workers, need_bytes: float) -> None:  # noqa: ANN401
        """``model`` is in Ray's object store; ``need_bytes`` is what a worker is thought to need."""
        self._task, self._model, self._settings = task, model, Settings.here()
        self._asked = self._bounds = asked
        self._need_bytes = need_bytes
        self._looked_s = self._given_up_s = -math.inf
        self.members: list[Member] = []
        self.peak = 0
        """The most members that there were with a place."""
        first, self.share = share_out(nodes(), asked, need_bytes)
        self._start(first)

    def _start(self, count: int) -> list[Member]:
        share, now_s = self.share, time.monotonic()
        actor_class = cast("Any", ray.remote)(
            num_cpus=share.cpus, num_gpus=share.gpus, memory=share.memory_bytes, max_restarts=0, max_concurrency=2
        )(Actor)
        started = [Member(actor_class.remote(), now_s) for _ in range(count)]
        self.members += started
        return started

    def adjust(self, *, more: bool) -> tuple[list[Member], list[Member]]:
        """Start and retire, as `change` says; ``more``: there is work that nobody has. Returns who was started and
        who was retired."""
        now_s = time.monotonic()
        self.peak = max(self.peak, sum(member.state != "waiting" for member in self.members))
        if now_s - self._looked_s < LOOK_EVERY_S:
            return [], []
        self._looked_s = now_s
        if more and all(member.state == "waiting" for member in self.members):
            first, share = share_out(nodes(), self._bounds, self._need_bytes)
            if share != self.share:  # the first nodes have come, or all that there were have gone
                self.share, retired = share, list(self.members)
                for member in retired:
                    self.remove(member)
                return self._start(first), retired
        may_grow = more and now_s - self._given_up_s > GIVEN_UP_S
        free = self.share.places(cast("Any", ray).available_resources()) if may_grow else 0
        count, retired = change(self.members, self._bounds, free, now_s, more=more)
        if more and any(member.state == "waiting" for member in retired):
            self._given_up_s = now_s
        for member in retired:
            self.remove(member)
        return self._start(count), retired

    @property
    def is_too_large(self) -> bool:
        """Whether one that becomes idle is to stay so, to be retired."""
        return len(self.members) > (self._bounds.most or math.inf)

    def fewer(self) -> bool:
        """One worker less from now on, because one has died for lack of memory; False if there is but one."""
        left = len(self.members) - 1
        if left < 1:
            return False
        self._bounds = replace(self._bounds, least=min(self._bounds.least or 1, left), most=left)
        return True

    def as_asked(self) -> None:
        """The bounds that were asked for again: the lack of memory had another cause."""
        self._bounds = self._asked

    def arrive(self, member: Member) -> Any:  # noqa: ANN401
        """Ask a member where it is; the answer comes when it has a place."""
        return member.actor.arrive.remote(Program.here())

    def load(self, member: Member, node: str) -> Any:  # noqa: ANN401
        """Let a member that has a place load the model."""
        member.node, member.state = node, "loading"
        return member.actor.load.remote(self._task, self._model, self._settings)

    def process(self, member: Member, items: tuple[Item, ...]) -> Any:  # noqa: ANN401
        """Give a member work; the answer streams."""
        member.state = "busy"
        return member.actor.process.options(num_returns="streaming").remote(items)

    def remove(self, member: Member) -> None:
        """End a member, also one that only cannot be reached: for its place."""
        ray.kill(member.actor)
        self.members.remove(member)

    def stop(self) -> None:
        """Ask all to begin nothing new."""
        for member in self.members:
            member.actor.stop.remote()

    def close(self) -> None:
        """End all."""
        for member in list(self.members):
            self.remove(member)
