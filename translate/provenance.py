"""The record of how an output came to be: what a run writes about itself, beside its outputs.

`Work` is what decides an output; two outputs of the same source and the same work are the same picture.
`PlanRecord` is written before the first image, `RunSummary` after the last one; a run without summary did not
end.
"""

from __future__ import annotations

import getpass
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from pydantic import ConfigDict, Field

import translate
from translate.config import Frozen, PixelSettings, digest

SCHEMA = 1
"""Of the records under ``_translate/``; raised when a reader of the old ones would go wrong."""

PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "ray")
"""Whose versions a run notes down."""


_FIRST = ("size", "format", "quality", "pixels")
"""The settings that `Work.digest` always covers."""


class Record(Frozen):
    """Base of what is read back later: fields that a newer version added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Work(PixelSettings, Record):
    """What decides an output's pixels and its mark, given its source."""

    model_config = Record.model_config

    model: str
    """``name@version`` or the path it was read from; for people, not part of the digest. Its last part
    stands in the mark."""
    model_digest: str
    """``sha256:<hex>`` of the file of the weights, see `translate.models.bundle`."""
    size: int | Literal["native"] = "native"
    """Working size: short side in pixels, or the image's own."""
    engine: str
    """Engine with its precision, e.g. ``torch-bfloat16``."""
    mark: str = "none"
    """How an output says what made it: `translate.images.mark.VERSION`, and ``+`` that of
    `translate.images.credentials` where it is signed. Runs from before there were marks recorded nothing of it."""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of everything but the model's name."""
        # A setting that was added later is left out at its default, so that earlier outputs stay the same work.
        defaults = {name: field.default for name, field in PixelSettings.model_fields.items()}
        later = {name for name, default in defaults.items() if name not in _FIRST and getattr(self, name) == default}
        return digest(self.model_dump(exclude={"model", *later}))

    @property
    def is_signed(self) -> bool:
        """Whether outputs have Content Credentials, see `translate.images.credentials`."""
        return "+" in self.mark

    def differences(self, other: Work) -> list[str]:
        """What another work has otherwise, in words: ``["model: a@1 -> b@2", "format: keep -> png"]``."""
        found = []
        if self.model_digest != other.model_digest:
            before, after = self.model, other.model
            if before == after:
                before, after = (
                    f"{name} ({work.model_digest[7:19]})" for name, work in ((before, self), (after, other))
                )
            found.append(f"model: {before} -> {after}")
        for field in (*PixelSettings.model_fields, "engine", "mark"):
            before, after = getattr(self, field), getattr(other, field)
            if before != after:
                found.append(f"{field}: {before} -> {after}")
        return found


class Sizes(Record):
    """How images are translated by their size at work, in pixels; fixed by the plan, so that every worker and whoever
    goes on with the run does the same image alike."""

    whole_px: int
    """Up to which an image is translated whole; larger ones in parts, with the statistics of the whole."""
    sweep_bytes: int | None
    """What a larger one may take; where it would take more, its statistics are those of a small copy. None: never."""


class Considered(Record):
    """What became of everything that was listed; the fields but ``bytes`` add up to the keys listed."""

    to_do: int = 0
    """Images that the run translates."""
    up_to_date: int = 0
    """Done by an earlier run, from the same source and by the same work."""
    failed_before: int = 0
    """Failed in an earlier run for a reason that lies in the source, which is unchanged."""
    kept: int = 0
    """Has an output that ``--overwrite never`` leaves alone."""
    beyond_limit: int = 0
    """Would be translated but for ``--limit``."""
    not_sampled: int = 0
    """Would be translated but for ``--sample``."""
    not_selected: int = 0
    """Left out by ``--include`` or ``--exclude``."""
    not_image: int = 0
    """No image's extension, or reserved (``_translate/``)."""
    bytes: int = 0
    """Of the sources to do."""


class Asked(Record):
    """What a command asked for, beside what `PlanRecord` says anyway: asked for again, it goes on with the run."""

    model: str
    """As it was named: ``name`` is the champion whenever it is asked for."""
    device: str
    engine: str = "auto"
    settings: dict[str, int | float | str]
    """`translate.config.Run` without ``fail_share``, which judges a run and does not change it."""
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    keys: str | None
    """Digest of the keys that were named one by one."""
    limit: int | None
    sample: int | None


class PlanRecord(Record):
    """``plan.json``: what a run is going to do. It marks the plan as complete: the units are written before
    it."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    run: str
    started: str
    """UTC, ISO 8601."""
    pipeline: str
    """Name of the pipeline; empty for a model run by itself."""
    input_url: str
    output_url: str
    work: Work
    work_digest: str
    overwrite: str
    considered: Considered
    units: int
    fence: int | None = None
    """Fencing number of the lease that the run began with; None if the store cannot lock (or the run is from before
    there were leases)."""
    asked: Asked | None = None
    """None in plans from before runs were gone on with."""
    sizes: Sizes | None = None
    """None in plans from before large images were translated in parts."""
    versions: dict[str, str]


class RunSummary(Record):
    """``summary.json``: totals of a finished run, written last: who finds it finds all the rest."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    run: str
    started: str
    finished: str
    seconds: float
    """Wall time of translating, without planning; of a run that was gone on with, only since then."""
    pipeline: str
    input_url: str
    output_url: str
    report_url: str
    executor: str
    workers: int
    work: Work
    work_digest: str
    considered: Considered
    planned: int
    """``ok + failed + skipped``."""
    ok: int
    ok_before: int = 0
    """Of the ``ok``, those from before the run was last gone on with."""
    failed: int
    skipped: int
    codes: dict[str, int]
    """How many failed or were skipped, by code."""
    ms: dict[str, float]
    """Milliseconds spent in each stage, summed over all images and threads."""
    fence: int | None = None
    """Fencing number of the last lease."""
    versions: dict[str, str]

    @property
    def images_per_second(self) -> float:
        """Translated images by wall time, since the run was last gone on with."""
        return (self.ok - self.ok_before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def failed_share(self) -> float:
        """Of the planned images."""
        return self.failed / self.planned if self.planned else 0.0


def versions() -> dict[str, str]:
    """Versions of this package, Python and the libraries that touch pixels."""
    found = {"translate": translate.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def user_name() -> str:
    """Who runs this program, for people to read."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
