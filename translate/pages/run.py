"""The page of one run: what happened, what failed and why, and before/after of a sample.

One self-contained HTML file: images are data URIs, and its content policy forbids every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.pages.template import render
from translate.progress import rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOWN_FAILURES = 200
"""Longer lists are cut here, and the page says how many are left out."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One image that could not be translated."""

    key: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One image before and after, as JPEG of the same shape, small enough for a page."""

    key: str
    before_jpeg: bytes
    after_jpeg: bytes
    width: int
    """Of the translated image, in pixels."""
    height: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """Everything that the page says."""

    pipeline: str
    """Name of the pipeline; empty if a model ran by itself."""
    model: str
    run: str
    started: str
    """ISO 8601."""
    finished: str
    """Empty if it is not."""
    seconds: float
    input_url: str
    output_url: str
    engine: str
    executor: str
    """Empty if not known."""
    work: Mapping[str, object]
    """What the outputs depend on, as in the work digest: ``model_digest``, ``size``, ``format`` ..."""
    ok: int
    failed: int
    skipped: int
    not_images: int
    failures: Sequence[Failure]
    """May be a part of the ``failed``."""
    codes: Mapping[str, int]
    """Failures by code."""
    samples: Sequence[Sample]
    locked: bool = True
    """Whether a lease kept other runs out."""
    ok_before: int = 0
    """Of the ``ok``, those from before the run was resumed; ``seconds`` are those of the others."""
    open: int = 0
    """Planned, but without an outcome when the page was written: the run is not finished."""


def render_run_page(page: RunPage) -> bytes:
    """The page as UTF-8 HTML. Any string may hold anything: keys are other people's."""
    return render(
        "run.html.j2",
        styles=("page.css",),
        script="compare.js",
        page=page,
        codes=sorted(page.codes.items(), key=lambda item: (-item[1], item[0])),
        shown=page.failures[:SHOWN_FAILURES],
        shares=_shares(page),
        rate=rate((page.ok - page.ok_before) / page.seconds) if page.ok > page.ok_before and page.seconds > 0 else "0",
    )


def _shares(page: RunPage) -> list[tuple[str, float, float]]:
    """(kind, start, width) in percent of the bar of outcomes; empty if there was nothing."""
    counts = {"ok": page.ok, "failed": page.failed, "skipped": page.skipped}
    total = sum(counts.values())
    shares: list[tuple[str, float, float]] = []
    start = 0.0
    for kind, count in counts.items():
        if count:
            width = 100 * count / total
            shares.append((kind, round(start, 3), round(width, 3)))
            start += width
    return shares
