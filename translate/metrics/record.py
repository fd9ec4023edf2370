"""An evaluation as it is kept beside a published model."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import translate
from translate.registry.evaluations import EvaluationRecord, Score

if TYPE_CHECKING:
    from translate.metrics.evaluate import Evaluation
    from translate.metrics.tally import Figures


def record_of(found: Evaluation) -> EvaluationRecord:
    """What of an evaluation is kept: each figure with its spread, what doing nothing scores, and the protocol."""
    return EvaluationRecord(
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        by=translate.__version__,
        data=found.data,
        source=found.source,
        target=found.target,
        paired=found.paired,
        images_digest=found.images_digest,
        source_images=found.source_images,
        target_images=found.target_images,
        judge=found.judge,
        size_px=found.size_px,
        scores=_scores(found.output),
        nothing=_scores(found.nothing),
    )


def _scores(figures: Figures) -> dict[str, Score]:
    """JSON has no infinity (the PSNR of equal images) and no nan: such are left out."""
    scores = {name: Score(value=value.value, spread=value.spread) for name, value in figures.distances.items()}
    scores |= {name: Score(value=value) for name, value in figures.means.items()}
    return {name: score for name, score in scores.items() if math.isfinite(score.value)}
