"""What the page of a run shows: failures, and a spread of pictures before and after. Also of an unfinished one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from translate.errors import ItemError, StoreError
from translate.images import codec
from translate.images.formats import FORMATS
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.pages.run import SHOWN_FAILURES, Failure, RunPage, Sample, render_run_page
from translate.records.ledger import EXISTS

if TYPE_CHECKING:
    from translate.provenance import RunSummary
    from translate.records.ledger import Entry
    from translate.stores.contract import ObjectStore

SAMPLES = 12
SAMPLE_PX = 640
"""Longer side of a picture on the page, in pixels."""
SAMPLE_QUALITY = 85


@dataclass
class Highlights:
    """A few entries of many, chosen as they pass: the first failures, and successes evenly spread."""

    failures: list[Failure] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    """How many images were not read because an extra package is not installed, by format."""
    _kept: list[Entry] = field(default_factory=list)
    _stride: int = 1
    _seen: int = 0

    def add(self, entry: Entry) -> None:
        """Look at one entry."""
        if entry.outcome == "failed":
            if len(self.failures) < SHOWN_FAILURES:
                self.failures.append(Failure(entry.key, entry.code, entry.message))
            self.unread.update(
                name for name, format_ in FORMATS.items() if format_.extra and format_.extra in entry.message
            )
        elif entry.outcome == "ok":
            if self._seen % self._stride == 0:
                self._kept.append(entry)
            self._seen += 1
            if len(self._kept) == 2 * SAMPLES:
                self._kept = self._kept[::2]
                self._stride *= 2

    @property
    def successes(self) -> list[Entry]:
        """At most `SAMPLES` successful entries, spread over all, in key order."""
        step = max(1, -(-len(self._kept) // SAMPLES))
        return sorted(self._kept[::step], key=lambda entry: entry.key)


def write_page(summary: RunSummary, highlights: Highlights, source: ObjectStore, output: ObjectStore) -> bytes:
    """The page of a finished run; the pictures are read again from both stores, and left out if they can't be had:
    whoever calls has no patience for them, or the totals would wait for hours where a store has gone."""
    return render(summary, highlights, samples_of(highlights, source, output))


def samples_of(highlights: Highlights, source: ObjectStore, output: ObjectStore) -> list[Sample]:
    """Before and after of the images to show, without those that cannot be had any more."""
    found = (sample(entry, source, output) for entry in highlights.successes)
    return [one for one in found if one is not None]


def render(summary: RunSummary, highlights: Highlights, samples: list[Sample]) -> bytes:
    """The page as HTML in UTF-8, of a run that may be unfinished."""
    return render_run_page(
        RunPage(
            pipeline=summary.pipeline,
            model=summary.work.model,
            run=summary.run,
            started=summary.started,
            finished=summary.finished,
            seconds=summary.seconds,
            input_url=summary.input_url,
            output_url=summary.output_url,
            engine=summary.work.engine,
            executor=summary.executor,
            work=summary.work.model_dump(),
            ok=summary.ok,
            ok_before=summary.ok_before,
            failed=summary.failed,
            skipped=summary.skipped,
            not_images=summary.considered.not_image,
            failures=highlights.failures,
            codes={code: count for code, count in summary.codes.items() if code != EXISTS},
            samples=samples,
            locked=summary.fence is not None,
            open=summary.planned - summary.ok - summary.failed - summary.skipped,
        )
    )


def sample(entry: Entry, source: ObjectStore, output: ObjectStore) -> Sample | None:
    """Before and after of one image, small; None if either was changed since, or cannot be had any more."""
    try:
        before = codec.decode(source.get(entry.key, if_match=entry.source_etag or None).data)
        after = codec.decode(output.get(entry.output_key).data)
    except (ItemError, StoreError):
        return None
    height, width = after.pixels.shape[:2]
    scale = min(1.0, SAMPLE_PX / max(height, width))
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    return Sample(entry.key, _jpeg(before, shape), _jpeg(after, shape), width, height)


def _jpeg(picture: Picture, shape: tuple[int, int]) -> bytes:
    """Both sides of the slider have one shape; with ``--pixels compat`` the source is squashed to it."""
    alpha = None if picture.alpha is None else resize(picture.alpha, *shape, how="auto")
    return codec.encode(Picture(resize(picture.pixels, *shape, how="auto"), alpha, "jpeg"), "jpeg", SAMPLE_QUALITY)
