"""The page of one retraining: both models' pictures side by side, every comparison of the gate, what the data were.

One self-contained HTML file without a script: images are data URIs, and its content policy forbids every request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from translate.pages.charts import number
from translate.pages.template import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One held-out image and what became of it; JPEGs of one square size."""

    key: str
    before_jpeg: bytes
    champion_jpeg: bytes | None
    """None: there was no champion."""
    challenger_jpeg: bytes
    answer_jpeg: bytes | None
    """None: the set has no pairs."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure of both models."""

    title: str
    better: str
    """``lower``, ``higher`` or ``near 1``."""
    against: float
    """Of the champion, or of doing nothing."""
    challenger: float
    worse_by: float
    """On average over the same halves of the images; below 0 the challenger is better."""
    spread: float
    at_most: float
    """``worse_by`` with its spreads."""
    margin: float
    """What that may be."""
    passed: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """One challenger."""

    challenger: str
    """``name@version``."""
    against: str
    """``name@version`` of the champion, or ``doing nothing``."""
    promoted: bool
    compared: Sequence[Compared]
    pictures: Sequence[SideBySide]
    size_px: int
    """Of the pictures, and what was scored at."""
    source_images: int
    target_images: int
    judge: str
    """The feature network."""


@dataclass(frozen=True, slots=True)
class RetrainingPage:
    """Everything that the page says."""

    pipeline: str
    state: Literal["promoted", "kept"]
    words: Sequence[str]
    """What became of each model."""
    retraining: str
    finished: str
    """When, in words, UTC."""
    models: Sequence[Judged]
    counts: Mapping[str, int]
    """Images by place."""
    difference: Mapping[str, int]
    """``new``, ``removed``, ``changed``: images, since the last retraining; empty if there was none."""
    images_seen: int
    """In the training."""
    seconds: float
    """Of the training."""
    provenance: Mapping[str, str]
    """What it was made from and with, in words."""


def render_retraining_page(page: RetrainingPage) -> bytes:
    """The page as UTF-8 HTML. Any string may hold anything: keys are other people's."""
    return render("retraining.html.j2", styles=("page.css", "retraining.css"), script=None, page=page, number=number)
