"""The gate: whether a challenger is measurably no worse than the champion, from figures alone.

Every measure is compared on the same random halves of the held-out images. By how much the challenger is worse, on
average over the halves, is the difference; its standard deviation over the halves is the spread. For halves drawn
without replacement that is about the standard error of the difference on all images (the delete-half jackknife: Efron
1982, "The Jackknife, the Bootstrap and Other Resampling Plans"). A measure passes if

    difference + spreads * spread <= margin

so that noise is never taken for "no worse": where little can be told, little may be wrong. Without a champion the
challenger has to beat doing nothing in a decisive measure, KID or the distance from the answers: there the sum has to
be below 0. Which measures there are, which way each is better and its usual margin, their files in `translate.metrics`
say.
"""

from __future__ import annotations

from statistics import fmean, stdev
from typing import TYPE_CHECKING

from translate import lookup
from translate.metrics.contract import find, gated
from translate.provenance import Record

if TYPE_CHECKING:
    from translate.config import Gate
    from translate.metrics.contract import Measure

NOTHING = "doing nothing"
"""What a first model is held against, by name."""


class Scores(Record):
    """What one model scores on the held-out images."""

    model: str
    """``name@version``, or ``doing nothing``."""
    values: dict[str, float]
    """Measure -> on all images."""
    halves: dict[str, tuple[float, ...]]
    """Measure -> on each of the random halves, the same ones for every model."""


class Comparison(Record):
    """One measure of both models."""

    measure: str
    challenger: float
    against: float
    worse_by: float
    """Mean over the halves; below 0 the challenger is better."""
    spread: float
    """Standard deviation of that over the halves."""
    at_most: float
    """``worse_by`` with its spreads added."""
    margin: float
    """What ``at_most`` may be."""
    passed: bool

    @property
    def title(self) -> str:
        """What it is called."""
        measure = find(self.measure)
        return self.measure if measure is None else measure.title

    @property
    def better(self) -> str:
        """Which way it is better; empty for a measure that there is no more."""
        measure = find(self.measure)
        return "" if measure is None else measure.better

    @property
    def words(self) -> str:
        """The comparison in a sentence."""
        change = (f"{abs(self.worse_by):.4f} {'worse' if self.worse_by > 0 else 'better'} "
                  f"± {self.spread:.4f}" if self.worse_by or self.spread else "the same")
        figures = f"{self.title} {self.challenger:.4f} for {self.against:.4f}, {change}"
        if self.passed:
            return figures
        allowed = f"at most {self.margin:.4f} worse is allowed" if self.margin else "it has to be better"
        doubt = "" if self.worse_by > self.margin else "; too few images to tell: hold out more"
        return f"{figures}: may be {self.at_most:.4f} worse, {allowed}{doubt}"


class Verdict(Record):
    """Whether the challenger may serve, and everything that was compared."""

    passed: bool
    challenger: str
    against: str
    """``name@version``, or ``doing nothing`` where there was no champion."""
    comparisons: tuple[Comparison, ...]
    reasons: tuple[str, ...]
    """Why not, a sentence each; why, if it passed."""


def check_margins(config: Gate) -> None:
    """Raise `UnknownNameError` for a margin of something that the gate does not look at."""
    known = [each.name for each in gated()]
    for name in config.margins:
        if name not in known:
            raise lookup.unknown("measure in retraining.gate.margins", name, known)


def judge(challenger: Scores, champion: Scores | None, nothing: Scores, config: Gate) -> Verdict:
    """Compare everything that both have figures of, and decide."""
    if champion is None:
        return _first(challenger, nothing, config)
    compared = tuple(_compare(each, challenger, champion, config.margins.get(each.name, each.margin), config.spreads)
                     for each in gated() if each.name in challenger.halves)
    worse = tuple(each.words for each in compared if not each.passed)
    words = (f"measurably no worse than {champion.model} in each of {len(compared)} measures",)
    return Verdict(passed=not worse, challenger=challenger.model, against=champion.model, comparisons=compared,
                   reasons=worse or words)


def _first(challenger: Scores, nothing: Scores, config: Gate) -> Verdict:
    compared = tuple(_compare(each, challenger, nothing, 0.0, config.spreads)
                     for each in gated() if each.decisive and each.name in challenger.halves)
    better = [each for each in compared if each.at_most < 0]
    compared = tuple(each.model_copy(update={"passed": each in better}) for each in compared)
    words = tuple(each.words for each in better) or tuple(each.words for each in compared)
    begin = "there is no champion, and it " + ("beats doing nothing" if better else "does not beat doing nothing")
    return Verdict(passed=bool(better), challenger=challenger.model, against=nothing.model, comparisons=compared,
                   reasons=(begin, *words))


def _compare(
    measure: Measure, challenger: Scores, against: Scores, margin: float | None, spreads: float
) -> Comparison:
    assert margin is not None, f"{measure.name} has no margin"
    name = measure.name
    worse = [measure.badness(mine) - measure.badness(theirs)
             for mine, theirs in zip(challenger.halves[name], against.halves[name], strict=True)]
    by, spread = fmean(worse), stdev(worse)
    at_most = by + spreads * spread
    return Comparison(measure=name, challenger=challenger.values[name], against=against.values[name], worse_by=by,
                      spread=spread, at_most=at_most, margin=margin, passed=at_most <= margin)
