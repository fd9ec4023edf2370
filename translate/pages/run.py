"""The page of one run: what happened, what failed and why, and before/after of a sample.

One self-contained HTML file: images are data URIs, and its content policy forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from translate.progress import duration, rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HERE = Path(__file__).parent
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
    seconds: float
    input_url: str
    output_url: str
    engine: str
    executor: str
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


def render_run_page(page: RunPage) -> bytes:
    """The page as UTF-8 HTML. Any string may hold anything: keys are other people's."""
    css = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "compare.js").read_text(encoding="utf-8")
    html = _environment().get_template("run.html.j2").render(
        page=page,
        css=Markup(css),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        css_hash=_csp_hash(css),
        script_hash=_csp_hash(script),
        codes=sorted(page.codes.items(), key=lambda item: (-item[1], item[0])),
        shown=page.failures[:SHOWN_FAILURES],
        shares=_shares(page),
        rate=rate(page.ok / page.seconds) if page.ok and page.seconds > 0 else "0",
    )
    return html.encode()


def readable(text: str) -> str:
    """Text whose control characters, line ends, direction overrides and stray surrogates show as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalize,
    )
    environment.filters["duration"] = duration
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["jpeg"] = lambda data: "data:image/jpeg;base64," + _base64(data)
    return environment


def _finalize(value: object) -> object:
    """What jinja does to every value before it escapes it; so no string of others is forgotten."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _csp_hash(text: str) -> str:
    """The content policy's name for an inline style or script."""
    return "sha256-" + _base64(hashlib.sha256(text.encode()).digest())


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
