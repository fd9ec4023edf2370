"""What retrainings wrote about themselves: a small document for each step, written once and never changed.

retrainings/<id>/snapshot.jsonl     the listing that is trained on
retrainings/<id>/snapshot.json      marker: the retraining has begun, on that listing, so configured
retrainings/<id>/training/          the training's own output
retrainings/<id>/trained.json       marker: the challengers are published
retrainings/<id>/evaluated.json     marker: both were evaluated
retrainings/<id>/verdict.json       marker: the gate has decided
retrainings/<id>/retraining.html
retrainings/<id>/done.json          marker: the retraining has ended

A step reads only markers of those before it. A retraining without its last one is resumed.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from translate.errors import NotFoundError, PreconditionError, StoreError
from translate.provenance import SCHEMA, Record
from translate.retraining.gate import Scores, Verdict
from translate.retraining.snapshot import Difference, Snapshot, read_snapshot
from translate.stores.contract import PutMode
from translate.stores.records import read_record

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

R = TypeVar("R", bound="Step")

ROOT = "retrainings/"


class Step(Record):
    """Base of the documents."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)


class Begun(Step):
    """``snapshot.json``: everything that is fixed when a retraining begins; a resume has these settings."""

    retraining: str
    began: datetime
    """UTC."""
    why: str
    """Why it was due."""
    data_url: str
    snapshot_digest: str
    counts: dict[str, int]
    """Images by place."""
    total_bytes: int
    difference: Difference | None
    """From the snapshot of the last retraining; None: there was none."""
    champions: dict[str, int | None]
    """The version that served of each model that is trained; None: there was none."""
    pipeline: dict[str, Any]
    """`translate.config.Pipeline`, resolved."""


class Challenger(Record):
    """A model that was trained, and the one that it would replace."""

    name: str
    source: Literal["a", "b"]
    """The domain that it reads."""
    version: int
    champion: int | None

    @property
    def reference(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @property
    def champion_reference(self) -> str | None:
        """The same of the champion."""
        return None if self.champion is None else f"{self.name}@{self.champion}"


class TrainedModels(Step):
    """``trained.json``: the challengers, published and not promoted."""

    challengers: tuple[Challenger, ...]
    images_seen: int
    seconds: float
    chosen_by: str


class Evaluated(Record):
    """The figures of one challenger and of what it is held against, on the same images."""

    name: str
    judge: str
    size_px: int
    source_images: int
    target_images: int
    challenger: Scores
    champion: Scores | None
    nothing: Scores
    """The untouched input taken for the output."""


class EvaluatedModels(Step):
    """``evaluated.json``."""

    models: tuple[Evaluated, ...]


class Verdicts(Step):
    """``verdict.json``: the gate's verdict on each challenger, by its name."""

    verdicts: dict[str, Verdict]


class Done(Step):
    """``done.json``: how the retraining ended."""

    outcome: Literal["promoted", "kept", "failed"]
    """``kept``: no champion was replaced. ``failed``: it cannot be carried to its end."""
    finished: datetime
    promoted: tuple[str, ...] = ()
    """``name@version`` of each challenger that serves now."""
    words: tuple[str, ...]
    """What became of each model, a sentence each."""


_FILES: dict[type[Step], str] = {
    Begun: "snapshot.json", TrainedModels: "trained.json", EvaluatedModels: "evaluated.json",
    Verdicts: "verdict.json", Done: "done.json",
}


class Journal:
    """The retrainings under one output."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def begun(self) -> list[str]:
        """Ids of all that have begun, the oldest first: ids sort by time."""
        end = f"/{_FILES[Begun]}"
        keys = [info.key for info in self.store.list(ROOT) if info.key.endswith(end) and info.key.count("/") == 2]
        return sorted(key.removeprefix(ROOT).removesuffix(end) for key in keys)

    def read(self, retraining: str, kind: type[R]) -> R | None:
        """A step's document; None if that step is not done. Raises `StoreError` if it is damaged."""
        key = place(retraining, _FILES[kind])
        try:
            return kind.model_validate_json(read_record(self.store, key).data)
        except NotFoundError:
            return None
        except ValidationError as error:
            raise StoreError(f"{self.store.url.rstrip('/')}/{key} is damaged, or of a newer version of this program: "
                             f"{str(error).splitlines()[0]}. Update; or remove this retraining's folder") from error

    def commit(self, retraining: str, step: R) -> R:
        """Write a step's document, unless it is there already; returns the one that counts."""
        data = step.model_dump_json(indent=1).encode() + b"\n"
        try:
            self.store.put(place(retraining, _FILES[type(step)]), data, mode=PutMode.CREATE,
                           content_type="application/json")
        except PreconditionError:
            there = self.read(retraining, type(step))
            assert there is not None
            return there
        return step

    def put_snapshot(self, retraining: str, snapshot: Snapshot) -> None:
        """Write the listing; it counts once `Begun` is committed."""
        self.store.put(place(retraining, "snapshot.jsonl"), snapshot.text, content_type="application/jsonl")

    def snapshot(self, begun: Begun) -> Snapshot:
        """The listing that a retraining has begun on. Raises `StoreError` if it is not what was committed."""
        key = place(begun.retraining, "snapshot.jsonl")
        snapshot = read_snapshot(read_record(self.store, key).data)
        if snapshot.digest != begun.snapshot_digest:
            raise StoreError(f"{self.store.url.rstrip('/')}/{key} is damaged (its digest differs from the one in "
                             "snapshot.json); remove the folder of this retraining")
        return snapshot


def place(retraining: str, file: str) -> str:
    """Key of something that a retraining wrote."""
    return f"{ROOT}{retraining}/{file}"
