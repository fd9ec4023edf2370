"""From a retraining's documents to its page: shows what both models make of the same held-out images."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from translate.datasets.folder import centre_square, read_pixels
from translate.errors import DataError
from translate.images.codec import encode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.images.tensors import to_pixels, to_tensor
from translate.pages.retraining import Compared, Judged, RetrainingPage, SideBySide, render_retraining_page
from translate.pages.training import spread
from translate.provenance import versions
from translate.retraining.journal import place
from translate.retraining.steps import held_out_images
from translate.retraining.view import SnapshotView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from translate.datasets.layout import Source
    from translate.models.translator import Translator
    from translate.retraining.gate import Verdict
    from translate.retraining.journal import Challenger, Done, Evaluated, EvaluatedModels, TrainedModels, Verdicts
    from translate.retraining.steps import UnderWay

_log = logging.getLogger(__name__)

SHOWN = 6
"""Held-out images of each direction on the page."""
QUALITY = 88


def page_key(retraining: str) -> str:
    """Where the page lies."""
    return place(retraining, "retraining.html")


def write_page(work: UnderWay, trained: TrainedModels, evaluated: EvaluatedModels, verdicts: Verdicts,
               done: Done) -> None:
    """Write ``retraining.html`` beside the documents."""
    begun, by_name = work.begun, {each.name: each for each in evaluated.models}
    page = RetrainingPage(
        pipeline=work.pipeline.name,
        state="promoted" if done.promoted else "kept",
        words=done.words,
        retraining=begun.retraining,
        finished=f"{done.finished:%Y-%m-%d %H:%M} UTC",
        models=[_judged(work, each, by_name[each.name], verdicts.verdicts[each.name],
                        promoted=each.reference in done.promoted) for each in trained.challengers],
        counts=begun.counts,
        difference=begun.difference.model_dump(exclude={"since"}) if begun.difference else {},
        images_seen=trained.images_seen,
        seconds=trained.seconds,
        provenance={
            "began": f"{begun.began:%Y-%m-%d %H:%M} UTC, {begun.why}",
            "data": begun.data_url,
            "snapshot": begun.snapshot_digest,
            "since": "" if begun.difference is None else f"retraining {begun.difference.since}",
            "trained from": _beginning(work),
            "weights": trained.chosen_by,
            "registry": work.models.url,
            "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        },
    )
    work.journal.store.put(page_key(begun.retraining), render_retraining_page(page),
                           content_type="text/html; charset=utf-8")


def _beginning(work: UnderWay) -> str:
    name, champion = next(iter(work.begun.champions.items()))
    from_nothing = champion is None or work.pipeline.retraining.begin_from == "nothing"
    return "random weights" if from_nothing else f"{name}@{champion}"


def _judged(
    work: UnderWay, challenger: Challenger, evaluated: Evaluated, verdict: Verdict, *, promoted: bool
) -> Judged:
    return Judged(
        challenger=verdict.challenger, against=verdict.against, promoted=promoted,
        compared=[Compared(each.title, each.better, each.against, each.challenger, each.worse_by, each.spread,
                           each.at_most, each.margin, each.passed) for each in verdict.comparisons],
        pictures=_pictures(work, challenger, evaluated.size_px), size_px=evaluated.size_px,
        source_images=evaluated.source_images, target_images=evaluated.target_images, judge=evaluated.judge,
    )


def _pictures(work: UnderWay, challenger: Challenger, size_px: int) -> list[SideBySide]:
    """As they were scored: centre squares at that size."""
    store = SnapshotView(work.data, work.snapshot.held_out)
    images = held_out_images(store, work.training.data, challenger.source)
    new = work.models.load(challenger.reference)
    old = None if challenger.champion_reference is None else work.models.load(challenger.champion_reference)
    found = []
    for name in spread(sorted(images.sources), SHOWN):
        try:
            before = _square(store, images.sources[name], size_px)
            answer = _square(store, images.targets[name], size_px) if images.pairs else None
        except DataError as error:  # they were scored and the verdict stands: the page has a picture less
            _log.warning("not shown on the page: %s", error)
            continue
        found.append(SideBySide(
            key=images.sources[name].key, before_jpeg=_jpeg(before),
            champion_jpeg=None if old is None else _jpeg(_translated(old, before)),
            challenger_jpeg=_jpeg(_translated(new, before)),
            answer_jpeg=None if answer is None else _jpeg(answer),
        ))
    return found


def _square(store: SnapshotView, image: Source, size_px: int) -> NDArray[np.uint8]:
    return resize(centre_square(image.cut(read_pixels(store, image.key))), size_px, size_px, how="lanczos")


def _translated(translator: Translator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return to_pixels(translator.of_rgb(to_tensor(pixels).unsqueeze(0))[0])


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return encode(Picture(pixels, None, "jpeg"), "jpeg", QUALITY)
