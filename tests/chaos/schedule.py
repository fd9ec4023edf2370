"""From a seed to a schedule: which executor, which faults how often, which kills when."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.chaos.faults import Faults, Window
from tests.chaos.killers import Kill

EXECUTORS = ("local", "ray")
MOST_RATES = {
    "slow_down": 0.03, "reset": 0.02, "short": 0.02, "stall": 0.03, "hang": 0.0006,
    "lost_ack": 0.02, "corrupt": 0.02, "wrong_date": 0.05,
}  # fmt: skip
"""The most that a schedule does of each fault; hanging is rare, because each costs the client's patience."""
WINDOW_S = {"slow_down": (1.0, 6.0), "expired": (2.0, 5.0), "skewed": (2.0, 5.0), "down": (1.0, 5.0)}
_REQUESTS_PER_IMAGE = 2


@dataclass(frozen=True)
class Schedule:
    """What befalls the runs of one seed."""

    seed: int
    executor: str
    faults: Faults
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        rates = [f"{kind} {rate:.2%}" for kind, rate in self.faults.rates.items()]
        windows = [f"{w.kind} for {w.lasts_s} s from request {w.begins_at}" for w in self.faults.windows]
        kills = [f"{kill.kind} at put {kill.after_puts}" for kill in self.kills]
        careless = ["conditions stripped"] if self.faults.careless else []
        return ", ".join([*careless, *rates, *windows, *kills]) or "nothing"


def make(seed: int, images: int, executor: str | None = None) -> Schedule:
    """The schedule of a seed for so many images; without ``executor`` odd seeds take Ray."""
    chance = random.Random(seed)
    executor = executor or EXECUTORS[seed % 2]
    rates = {kind: round(most * chance.random(), 5) for kind, most in MOST_RATES.items() if chance.random() < 0.6}
    windows = tuple(
        Window(
            kind,
            begins_at=chance.randrange(10, max(11, _REQUESTS_PER_IMAGE * images)),
            lasts_s=round(chance.uniform(*WINDOW_S[kind]), 1),
        )
        for kind in chance.sample(sorted(WINDOW_S), chance.choice((0, 1, 1, 2)))
    )
    faults = Faults(seed=seed, rates=rates, windows=windows, careless=chance.random() < 0.15)
    return Schedule(seed, executor, faults, _kills(chance, images, executor))


def _kills(chance: random.Random, images: int, executor: str) -> tuple[Kill, ...]:
    most = {"driver": 2, "terminate": 1, "server": 1, "actor": 3 if executor == "ray" else 0}
    kinds = [kind for kind, count in most.items() for _ in range(chance.randint(0, count))]
    kinds = kinds or ["actor" if executor == "ray" else "driver"]
    first, last = images // 20, images * 9 // 10
    return tuple(sorted((Kill(kind, chance.randint(first, last)) for kind in kinds), key=lambda k: k.after_puts))
