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
"""Version of the records under ``_translate/``. It is raised when programs that know only the old form would misread
the new one."""

PACKAGES = ("torch", "numpy", "opencv-python-headless", "pillow", "ray")
"""The packages whose versions a run records."""


_FIRST = ("size", "format", "quality", "pixels")
"""The settings that `Work.digest` always covers."""


class Record(Frozen):
    """Base class of records that are read again later: fields that a newer version added are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Work(PixelSettings, Record):
    """Everything that decides an output's pixels and its mark, beside its source."""

    model_config = Record.model_config

    model: str
    """``name@version``, or the path that the model was read from. For people; not part of the digest. Its last part is
    written into the mark."""
    model_digest: str
    """Digest of the weights' file, ``sha256:<hex>``, see `translate.models.bundle`."""
    size: int | Literal["native"] = "native"
    """Working size: the short side in pixels, or ``native`` for the image's own size."""
    engine: str
    """Engine with its precision, e.g. ``torch-bfloat16``."""
    mark: str = "none"
    """Version of the mark in each output (`translate.images.mark.VERSION`); of signed outputs followed by ``+`` and the
    version of the signature (`translate.images.credentials`). ``none``: made before outputs were marked."""

    @property
    def digest(self) -> str:
        """The work digest: ``sha256:<hex>`` of all fields but the model's name."""
        # A setting that was added later is left out at its default, so that earlier outputs stay the same work.
        defaults = {name: field.default for name, field in PixelSettings.model_fields.items()}
        later = {name for name, default in defaults.items() if name not in _FIRST and getattr(self, name) == default}
        return digest(self.model_dump(exclude={"model", *later}))

    @property
    def is_signed(self) -> bool:
        """Whether outputs are signed with Content Credentials, see `translate.images.credentials`."""
        return "+" in self.mark

    def differences(self, other: Work) -> list[str]:
        """How this work and another one differ, in words: ``["model: a@1 -> b@2", "format: keep -> png"]``."""
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
    """Which images are translated whole and which in parts, by their pixels at the working size. The plan fixes this,
    so that every worker and every resumed run treats the same image alike."""

    whole_px: int
    """The largest image that is translated whole; larger ones are translated in parts, with the statistics of the
    whole image."""
    sweep_bytes: int | None
    """Memory that an image in parts may take. If it would take more, the statistics are those of a small copy. None:
    that never happens."""


class Considered(Record):
    """The listed keys, counted by what is done with them. All fields but ``bytes`` add up to the number of keys."""

    to_do: int = 0
    """Images that the run translates."""
    up_to_date: int = 0
    """Images that an earlier run has translated, from the same source and by the same work."""
    failed_before: int = 0
    """Images that failed in an earlier run because of their source, which has not changed."""
    kept: int = 0
    """Images that have an output which ``--overwrite never`` leaves alone."""
    beyond_limit: int = 0
    """Images that are left out because of ``--limit``."""
    not_sampled: int = 0
    """Images that are left out because of ``--sample``."""
    not_selected: int = 0
    """Images that are left out because of ``--include`` or ``--exclude``."""
    not_image: int = 0
    """Keys without an image's extension, and reserved ones (``_translate/``)."""
    bytes: int = 0
    """Size of the sources that the run translates, all together."""


class Asked(Record):
    """What the command asked for, beside what `PlanRecord` has. A command that asks for the same resumes the run."""

    model: str
    """The model as the user named it: ``name`` stands for whichever version is the champion."""
    device: str
    engine: str = "auto"
    settings: dict[str, int | float | str]
    """The fields of `translate.config.Run` without ``fail_share``, which judges a run and does not change it."""
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    keys: str | None
    """Digest of the keys that ``--keys`` named; None without ``--keys``."""
    limit: int | None
    sample: int | None


class PlanRecord(Record):
    """``plan.json``: what a run is going to do. It is written after the units, and so marks the plan as complete."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    run: str
    started: str
    """When the run began: UTC, ISO 8601."""
    pipeline: str
    """Name of the pipeline; empty for a model that was run without one."""
    input_url: str
    output_url: str
    work: Work
    work_digest: str
    overwrite: str
    considered: Considered
    units: int
    fence: int | None = None
    """Fencing number of the lease that the run began with. None if the store cannot lock, and in plans of versions
    without leases."""
    asked: Asked | None = None
    """None in plans of versions that could not resume."""
    sizes: Sizes | None = None
    """None in plans of versions that did not translate large images in parts."""
    versions: dict[str, str]


class RunSummary(Record):
    """``summary.json``: the totals of a finished run. It is written last: where it is, everything else is there too."""

    schema_version: int = Field(default=SCHEMA, le=SCHEMA)
    run: str
    started: str
    finished: str
    seconds: float
    """Wall time of translating, without planning. If the run was resumed: since the last resume."""
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
    """How many of the ``ok`` images were done before the last resume; 0 if the run was never resumed."""
    failed: int
    skipped: int
    codes: dict[str, int]
    """Number of failed and skipped images, by code."""
    ms: dict[str, float]
    """Milliseconds spent in each stage, summed over all images and threads."""
    fence: int | None = None
    """Fencing number of the lease that the run ended with; None if the store cannot lock."""
    versions: dict[str, str]

    @property
    def images_per_second(self) -> float:
        """Translated images per second of wall time; if the run was resumed, since the last resume."""
        return (self.ok - self.ok_before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def failed_share(self) -> float:
        """The share of the planned images that failed, 0 to 1."""
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
    """Name of the user who runs this program, for people to read."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"
