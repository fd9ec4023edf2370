"""The page of one training: how far it is, its curves, its pictures over time, its scores, how it was made.

One self-contained HTML file, as the run's: images are data URIs, curves are SVG, and its content policy forbids
every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from translate.metrics.contract import find
from translate.pages.charts import LEFT_PERCENT, PLOT_PX, PLOT_WIDTH, RIGHT_PERCENT, Chart, Series, chart, number
from translate.pages.template import render
from translate.progress import rate
from translate.yaml_text import write_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")

TrainingState = Literal["running", "finished", "stopped"]

SHOWN_SHEETS = 12
"""Of more sheets, so many spread over the training are shown, the first and the newest among them."""
SHOWN_EVALUATIONS = 40
SHOWN_EVENTS = 100
"""The last ones; of more the page says how many are left out."""

_FACTS_OF_STATUS = ("images", "seconds", "rate", "images_per_s")
"""Keys of a status line that are not terms."""

_FAMILIES = {
    "adversarial": ("Adversarial", "generators (G) against discriminators (D): neither should win for long"),
    "cycle": ("Cycle", "what is lost on the way there and back"),
    "identity": ("Identity", "what is changed where nothing should be"),
    "answer": ("Answer", "distance from the true translation, where it is known"),
    "l1": ("L1", "distance from the true translation"),
    "perceptual": ("Perceptual", "distance as a feature network sees it"),
    "texture": ("Texture", "how differently paint and grain look from the true translation's"),
    "feature_matching": ("Feature matching", "distance as the discriminator sees it"),
    "nce": ("Contrast", "how hard it is to tell which patch came from where"),
    "gradient_penalty": ("Gradient penalty", "how steep the discriminators are between real and made images"),
    "r1": ("R1", "how steep the discriminators are at real images"),
}
"""Family of terms -> title and a few words; a family that is not named here goes by its own name."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sample sheet, as JPEG small enough for a page."""

    images: int
    """Images seen when it was made."""
    jpeg: bytes
    width: int
    """Of the JPEG, in pixels."""
    height: int

    @property
    def times(self) -> int:
        """How much larger a small sheet is shown where there is room."""
        return max(1, min(3, 1056 // max(self.width, self.height)))


@dataclass(frozen=True, slots=True)
class Scored:
    """One evaluation during the training."""

    images: int
    seconds: float
    scores: Mapping[str, Mapping[str, float]]
    """Direction (``a_to_b``) -> score -> value."""
    best: bool
    """Whether it was the best so far; the last such one is the chosen one."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on the way."""

    images: int
    event: str
    """A word: ``recovered``, ``warning`` ..."""
    message: str


@dataclass(frozen=True, slots=True)
class TrainingPage:
    """Everything that the page says."""

    state: TrainingState
    reason: str
    """Why it stopped, in words; empty otherwise."""
    written: str
    """When the page was written, ISO 8601."""
    seen: int
    """Images seen."""
    seconds: float
    """Time spent training, over all sessions."""
    minutes: float | None
    """Time after which it ends, if that was given."""
    images_per_s: float | None
    config: Mapping[str, Any]
    """The resolved training: ``images``, ``batch``, ``objective`` ..."""
    status: Sequence[Mapping[str, float]]
    """Lines with ``images``, ``seconds``, ``rate`` and every term, in order."""
    sheets: Sequence[Sheet]
    """In order, at most `SHOWN_SHEETS` (see `spread`)."""
    sheets_made: int
    """How many there are in all."""
    evaluations: Sequence[Scored]
    """In order."""
    events: Sequence[Event]
    """In order."""
    provenance: Mapping[str, str]
    """What it was made from and with, in words: ``data``, ``config digest``, ``torch`` ..."""
    pipeline: str = ""
    """Name of what is trained; empty if it has none."""


def render_training_page(page: TrainingPage) -> bytes:
    """The page as UTF-8 HTML. Any string may hold anything, as on the run's page."""
    end = max([page.seen, 1, *(int(line["images"]) for line in page.status)])
    chosen = next((one for one in reversed(page.evaluations) if one.best), None)
    return render(
        "training.html.j2",
        styles=("page.css", "training.css"),
        script="sheets.js",
        page=page,
        share=round(100 * _share(page), 2),
        left_s=_left_s(page),
        speed=rate(page.images_per_s) if page.images_per_s else None,
        losses=_loss_charts(page, end),
        learning_rate=_rate_chart(page, end),
        score_charts=_score_charts(page, chosen, end),
        tables=_tables(page, chosen),
        chosen=chosen,
        events=page.events[-SHOWN_EVENTS:],
        config_blocks=[write_yaml({key: value}).splitlines() for key, value in page.config.items()],
        plot={"width": PLOT_WIDTH, "px": PLOT_PX, "left": LEFT_PERCENT, "right": RIGHT_PERCENT},
    )


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most ``count`` of ``items``, evenly spread, the first and the last among them; of one, the last."""
    if len(items) <= count:
        return list(items)
    if count == 1:
        return [items[-1]]
    return [items[round(place * (len(items) - 1) / (count - 1))] for place in range(count)]


def _share(page: TrainingPage) -> float:
    """Of the way, by images or by time, whichever is further."""
    images, minutes = int(page.config.get("images", 0)), page.minutes
    shares = [page.seen / images if images else 0.0, page.seconds / (60 * minutes) if minutes else 0.0]
    return min(1.0, max(shares))


def _left_s(page: TrainingPage) -> float | None:
    """Seconds of training that are left at this pace."""
    left = []
    if page.minutes:
        left.append(60 * page.minutes - page.seconds)
    if page.images_per_s and "images" in page.config:
        left.append((int(page.config["images"]) - page.seen) / page.images_per_s)
    return max(0.0, min(left)) if left and page.state == "running" else None


def family(term: str) -> str:
    """``cycle_a`` and ``cycle_b`` -> ``cycle``; ``G_ab`` and ``D_b`` -> ``adversarial``: what has one scale."""
    stem, _, domains = term.rpartition("_")
    stem = stem if stem and domains in ("a", "b", "ab", "ba") else term
    return "adversarial" if stem in ("G", "D") else stem


def _loss_charts(page: TrainingPage, end: int) -> list[Chart]:
    """One for each family of terms, in the order of the status lines; the adversarial one first."""
    terms = dict.fromkeys(key for line in page.status for key in line if key not in _FACTS_OF_STATUS)
    families: dict[str, list[str]] = {"adversarial": []}
    for term in terms:
        families.setdefault(family(term), []).append(term)
    return [
        chart(*_FAMILIES.get(name, (name, "")), [_series(page, term) for term in sorted(members, key=_g_before_d)],
              end=end, kind="noisy", from_zero=True, marks=[event.images for event in page.events])
        for name, members in families.items() if members
    ]


def _g_before_d(term: str) -> tuple[bool, str]:
    return term.startswith("D_"), term


def _rate_chart(page: TrainingPage, end: int) -> Chart | None:
    line = _series(page, "rate")
    note = "as the schedule has it, for all networks"
    return chart("Learning rate", note, [line], end=end, kind="exact", from_zero=True) if line.images else None


def _series(page: TrainingPage, key: str) -> Series:
    found = [(line["images"], line[key]) for line in page.status if key in line]
    return Series(key, [images for images, _ in found], [value for _, value in found])


def _score_charts(page: TrainingPage, chosen: Scored | None, end: int) -> list[Chart]:
    """One for each score, a curve for each direction."""
    names = dict.fromkeys(name for one in page.evaluations for scores in one.scores.values() for name in scores)
    charts = []
    for name in names:
        curves = []
        for direction in _directions(page):
            found = [(one.images, one.scores[direction][name]) for one in page.evaluations
                     if name in one.scores.get(direction, {})]
            if found:
                curves.append(Series(direction, [x for x, _ in found], [y for _, y in found]))
        charts.append(chart(*_title_and_note(name), curves, end=end, kind="measured", from_zero=False,
                            marks=[chosen.images] if chosen else []))
    return charts


def _title_and_note(score: str) -> tuple[str, str]:
    """As the metric's file says; a score that there is no more goes by its own name."""
    measure = find(score)
    return (score, "") if measure is None else (measure.title[0].upper() + measure.title[1:], measure.note)


def _directions(page: TrainingPage) -> list[str]:
    return list(dict.fromkeys(direction for one in page.evaluations for direction in one.scores))


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table of a direction."""

    images: int
    seconds: float
    chosen: bool
    cells: Sequence[str]


def _tables(page: TrainingPage, chosen: Scored | None) -> list[tuple[str, list[str], list[_Row]]]:
    """(direction, titles of the scores, rows) of each direction; of many evaluations some, and the chosen one."""
    shown = spread(page.evaluations, SHOWN_EVALUATIONS)
    if chosen is not None and chosen not in shown:
        shown = sorted([*shown, chosen], key=lambda one: one.images)
    tables = []
    for direction in _directions(page):
        names = list(dict.fromkeys(name for one in shown for name in one.scores.get(direction, {})))
        rows = [_Row(one.images, one.seconds, one is chosen,
                     [number(one.scores.get(direction, {}).get(name, float("nan"))) for name in names])
                for one in shown]
        tables.append((direction, [_title_and_note(name)[0] for name in names], rows))
    return tables
