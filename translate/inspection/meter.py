"""The numbers of one run for Prometheus, from its records."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from translate.batch.meter import Measured
from translate.provenance import RunSummary
from translate.records.ledger import EXISTS

if TYPE_CHECKING:
    from translate.inspection.status import Status


def measure(status: Status) -> Measured:
    """The numbers of one run, from its records; bytes are not among them."""
    totals, record = status.totals, status.record
    images = {("skipped" if code == EXISTS else "failed", code): count for code, count in totals.codes.items()}
    return Measured(
        planned=status.planned,
        images={("ok", ""): totals.ok, **images},
        stage_s={stage: ms / 1000 for stage, ms in totals.ms.items()},
        workers=record.workers if isinstance(record, RunSummary) else None,
        last_success_s=datetime.fromisoformat(status.finished).timestamp() if status.finished else None,
    )
