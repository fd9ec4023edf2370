"""What a published version scored: small documents beside it, ``evaluations/<id>.json``, added and never changed.

The id follows from what was measured how, so that the same evaluation again is the same document. Only evaluations on
the same images by the same protocol are comparable; what makes two of them differ is said in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from translate.config import digest
from translate.errors import ModelError
from translate.provenance import Record
from translate.stores.records import read_record

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

SCHEMA = 1
FOLDER = "evaluations/"
_PROTOCOL = {"judge": "judged by", "size_px": "working size in pixels", "paired": "paired"}


class Score(Record):
    """One measure."""

    value: float
    spread: float | None = None
    """Standard deviation over random subsets of half the images, where it is known."""


class EvaluationRecord(Record):
    """An evaluation of one version, as it is kept."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    when: str
    """UTC, ISO 8601."""
    by: str
    """Version of this program."""
    data: str
    """URL of the set."""
    source: str
    """Where the images lie that were translated, in words."""
    target: str
    """Where those lie that they were compared with."""
    paired: bool
    images_digest: str
    """``sha256:<hex>`` of all images, as they were looked at: wherever they lie, the same images have the same."""
    source_images: int
    target_images: int
    judge: str | None
    """Feature network; None where no measure needed one."""
    size_px: int
    scores: dict[str, Score]
    """By measure, see `translate.metrics.tally.Figures`; only finite ones."""
    nothing: dict[str, Score]
    """What the untouched input scores."""

    @property
    def key(self) -> str:
        """Where it lies under the version."""
        same = self.model_dump(mode="json", include={"images_digest", "paired", "judge", "size_px"})
        return f"{FOLDER}{digest(same | {'measures': sorted(self.scores)})[7:23]}.json"

    @property
    def data_bytes(self) -> bytes:
        """The document."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    def differences(self, other: EvaluationRecord) -> list[str]:
        """What keeps two evaluations from being compared, in words."""
        found = [f"{words}: {getattr(self, field)} and {getattr(other, field)}"
                 for field, words in _PROTOCOL.items() if getattr(self, field) != getattr(other, field)]
        if self.images_digest != other.images_digest:
            mine, theirs = (f"{each.source_images} and {each.target_images} of {each.data}" for each in (self, other))
            found.append(f"images: {mine}; {theirs}" if mine != theirs else f"images: those of {mine} have changed")
        return found


def read_evaluations(store: ObjectStore, prefix: str) -> list[EvaluationRecord]:
    """The evaluations of the version under ``prefix``, the oldest first. Raises `ModelError` if one is damaged."""
    found = []
    for info in store.list(prefix + FOLDER):
        try:
            found.append(EvaluationRecord.model_validate_json(read_record(store, info.key).data))
        except ValidationError as error:
            raise ModelError(f"{store.url.rstrip('/')}/{info.key} is damaged, or of a newer version of this program: "
                             f"{error.errors()[0]['msg']}. Update, or remove it") from error
    return sorted(found, key=lambda each: each.when)
