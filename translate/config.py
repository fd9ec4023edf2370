"""Pipeline YAML -> frozen, strict models; canonical JSON; digest.

One YAML in ``configs/`` is one named translation. Unknown keys are errors. Components own their options: the
mappings under ``generator``, ``discriminator`` and ``objective`` are handed to the component that their first key
names, which checks them itself.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from translate import lookup
from translate.errors import ConfigError, UnknownNameError
from translate.shipped import shipped_folder
from translate.yaml_text import read_yaml

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

LEAST_SIZE_PX = 8
"""Smallest working size."""


class Frozen(BaseModel):
    """Base of every configuration: immutable, strict types, finite numbers, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


class Domains(Frozen):
    """The two worlds: ``a`` is translated into ``b``."""

    a: str
    """What is read, in words, e.g. ``painting``."""
    b: str
    """What comes out, e.g. ``photograph``."""


class PixelSettings(Frozen):
    """The part of a run's settings that decides what its outputs are; `translate.provenance.Work` has the same."""

    size: int | Literal["native"] | None = None
    """Working size: the short side in pixels, or ``native``, the image's own. None: the size that the model says, and
    ``native`` for a model that says none. Results return to the input's size."""
    format: str = "keep"
    """Of the outputs: a format's name, or ``keep``: as the source is named."""
    quality: int = Field(default=92, ge=1, le=100)
    """Of formats that lose something: JPEG, WebP and AVIF."""
    exif: Literal["drop", "keep"] = "drop"
    """Whether EXIF of the source goes into its output: camera, time, place and owner."""
    pixels: Literal["exact", "compat"] = "exact"
    """``compat`` reproduces the test script of pytorch-CycleGAN-and-pix2pix."""

    @field_validator("format", mode="before")
    @classmethod
    def _format_name(cls, value: object) -> object:
        """What files are called (``jpg``) is as good as what their format is called."""
        if value == "keep" or not isinstance(value, str):
            return value
        try:
            # Not imported above: configurations are read by programs that open no image.
            return importlib.import_module("translate.images.formats").named(value).name
        except UnknownNameError as error:
            raise ValueError(str(error)) from error

    @field_validator("size", mode="before")
    @classmethod
    def _working_size(cls, value: object) -> object:
        """One sentence, where pydantic would have one for each alternative."""
        if value not in (None, "native") and not (type(value) is int and value >= LEAST_SIZE_PX):
            raise ValueError(f"must be native or the short side in pixels, a number of {LEAST_SIZE_PX} or more")
        return value


class Run(PixelSettings):
    """How the batch job treats images."""

    max_megapixels: float = Field(default=100.0, gt=0)
    """Larger images end as ``input.too_large``; read off the header, before anything is decoded."""
    frames: Literal["first", "refuse"] = "first"
    """Of animations and files of several pages the first is translated, or they end as ``input.animated``."""
    fail_share: float = Field(default=0.05, ge=0, le=1)
    """The run fails (exit 3) when a larger share of its items failed."""


class Data(Frozen):
    """Where training images lie under the data URL and how they are cut."""

    kind: Literal["unpaired", "paired"]
    """``unpaired``: folders ``a`` and ``b``. ``paired``: pairs in one of three layouts."""
    layout: Literal["folders", "side_by_side", "manifest"] = "folders"
    """Of pairs. ``folders``: the same names in ``a`` and ``b``. ``side_by_side``: both halves in one image of the
    folder ``pairs``. ``manifest``: a row of the CSV or Parquet file ``pairs`` for each, its columns ``a`` and ``b``."""
    pairs: str | None = None
    test_pairs: str | None = None
    """Held-out pairs, in the same layout."""
    left: Literal["a", "b"] = "a"
    """Which domain is the left half of images side by side."""
    a: str = "trainA"
    b: str = "trainB"
    answers_a: str | None = None
    """Folder with the true translation of some images of ``a``, under the same names; the game learns from those."""
    answers_b: str | None = None
    """The same for ``b``."""
    test_a: str | None = None
    """Folder of held-out images of ``a``, for sample sheets and evaluation; never trained on."""
    test_b: str | None = None
    short_side_px: tuple[int, int]
    """Images are resized to a short side drawn from this range before the crop, so that scale varies."""
    crop_px: int = Field(ge=16)
    flip: bool = True
    jitter: float = Field(default=0.0, ge=0, le=1)
    """Strength of brightness, contrast and colour changes of the source half (never of a target)."""
    channels_a: Literal[1, 3] = 3
    channels_b: Literal[1, 3] = 3

    @model_validator(mode="before")
    @classmethod
    def _range(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("short_side_px"), list):
            values = {**values, "short_side_px": tuple(values["short_side_px"])}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Data:
        low, high = self.short_side_px
        if not self.crop_px <= low <= high:
            raise ValueError(f"short_side_px {low}-{high} must be ascending and not below crop_px {self.crop_px}")
        return self

    @model_validator(mode="after")
    def _one_layout(self) -> Data:
        """Keys that the layout does not read are a misunderstanding, not to be passed over."""
        unread = sorted((_PLACES - _PLACES_OF[self.layout]) & self.model_fields_set)
        if unread:
            raise ValueError(f"layout {self.layout} does not read {', '.join(unread)}; "
                             f"its places are {', '.join(sorted(_PLACES_OF[self.layout]))}")
        if self.layout != "folders" and (self.kind == "unpaired" or self.pairs is None):
            raise ValueError(f"layout {self.layout} needs kind: paired, and pairs: where they are")
        return self

    @model_serializer(mode="wrap")
    def _what_is_read(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Only what the layout reads; so a set in folders has the digest that it had before other layouts came."""
        unread = _PLACES - _PLACES_OF[self.layout] | ({"layout"} if self.layout == "folders" else set())
        return {key: value for key, value in write(self).items() if key not in unread}


_PLACES_OF: dict[str, set[str]] = {
    "folders": {"a", "b", "answers_a", "answers_b", "test_a", "test_b"},
    "side_by_side": {"pairs", "test_pairs", "left"},
    "manifest": {"pairs", "test_pairs"},
}
_PLACES: set[str] = set().union(*_PLACES_OF.values())
"""The keys of `Data` that say where images are."""


class Evaluation(Frozen):
    """A small evaluation while training, on held-out images, to find the best snapshot."""

    every_images: int = Field(ge=1)
    images: int = Field(default=64, ge=4)
    """At most so many of the held-out images of each domain are looked at."""
    best_by: str = "kid"
    """What the best snapshot is lowest in, over all directions: a decisive measure of `translate.metrics`, ``kid`` or,
    with pairs, ``layer_distance``."""


class Training(Frozen):
    """A training: the game, its players, its data and its pace. Durations are in images seen."""

    objective: dict[str, Any]
    """``name`` and the options of `translate.objectives.<name>`."""
    generator: dict[str, Any]
    """``architecture`` and the options of `translate.models.<architecture>`."""
    reverse_generator: dict[str, Any] = {}
    """Options in which the generator from b to a differs: the two ways need not be equally hard."""
    discriminator: dict[str, Any]
    data: Data
    images: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    betas: tuple[float, float] = (0.5, 0.999)
    decay_from: float = Field(default=0.5, ge=0, le=1)
    """Share of the images after which the rate falls linearly to zero."""
    warmup_images: int = Field(default=0, ge=0)
    pool: int = Field(default=50, ge=0)
    """Made images that the discriminators' history holds (arXiv:1703.10593, section 4); 0: only the newest."""
    ema_half_life_images: int = Field(default=2000, ge=1)
    """Half-life of the moving average of the generators' weights; the average is what is published."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What the networks compute in; weights are float32 in both. ``auto``: bfloat16 where the processor (AMX) or GPU
    multiplies it in hardware, else float32."""
    evaluation: Evaluation | None = None
    """None: the last snapshot is published."""
    sample_every_images: int = Field(default=2000, ge=1)
    checkpoint_every_images: int = Field(default=2000, ge=1)
    weights: Literal["float32", "float16"] = "float32"
    """How published weights are stored; they are always computed with in float32."""
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _betas(cls, values: dict[str, Any]) -> dict[str, Any]:
        if isinstance(values.get("betas"), list):
            values = {**values, "betas": tuple(values["betas"])}
        return values


class Holdout(Frozen):
    """Which images a retraining holds out, where the set has no test folders of its own."""

    share: float = Field(default=0.1, gt=0, lt=1)
    """Of the images of each domain, about; one hash of an image's name decides, so that no image ever changes sides
    when others come or go."""
    key: str = Field(default="translate", pattern=r"^[ -~]{1,64}$")
    """Of the hash. Another key is another held-out set, whose images earlier models were trained on."""
    images: int = Field(default=256, ge=8)
    """At most so many of the held-out images of each domain are looked at."""


class Gate(Frozen):
    """When a challenger is measurably no worse than the champion, see `translate.retraining.gate`."""

    subsets: int = Field(default=50, ge=8)
    """Random halves of the held-out images, the same for both models, that the spread of a difference is taken over."""
    spreads: float = Field(default=2.0, ge=0)
    """So many spreads are added to a difference before it is held against its margin."""
    margins: dict[str, Annotated[float, Field(ge=0)]] = {}
    """By how much a challenger may be worse than the champion, by measure, in the measure's own unit; where one isn't
    named, the margin that its file in `translate.metrics` declares."""


class Retraining(Frozen):
    """When a model is trained again, from what, and what the new one has to pass; changes no pixel of the old one."""

    schedule: str | None = None
    """A cron expression, e.g. ``0 3 * * sun``: due at those times (UTC), once however many have passed. None: never."""
    new_images: int | None = Field(default=None, ge=1)
    """Due when there are so many images that the last retraining did not know. None: never."""
    begin_from: Literal["champion", "nothing"] = "champion"
    """The weights that the training begins from; random ones as long as there is no champion."""
    images: int | None = Field(default=None, ge=1)
    """Length of a retraining, in images seen; None: ``training.images``."""
    holdout: Holdout = Holdout()
    gate: Gate = Gate()

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        from cronsim import CronSim, CronSimError

        if value is not None:
            try:
                CronSim(value, datetime(2000, 1, 1, tzinfo=UTC))
            except CronSimError as error:
                raise ValueError(f"must be a cron expression such as '0 3 * * sun' ({error})") from error
        return value


class Pipeline(Frozen):
    """One named translation."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    summary: str
    domains: Domains
    model: str | None = None
    """``name`` (its champion) or ``name@version``; None until one is trained: then ``--model`` must say."""
    reverse_model: str | None = None
    """Name under which a game that trains both directions publishes the other one."""
    samples: str | None = None
    """Folder of shipped sample inputs, for `translate run` without ``--input``."""
    run: Run = Run()
    training: Training | None = None
    trained_by: str | None = None
    """Name of the pipeline whose training also makes this one's model (the other direction of one game)."""
    retraining: Retraining = Retraining()

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of what decides pixels and weights: the model, how it is trained, the run's pixel settings.

        Words for people, limits of a run, how often a training is looked at, and retraining are left out.
        """
        looks = {"sample_every_images", "checkpoint_every_images"}
        training = None if self.training is None else self.training.model_dump(mode="json", exclude=looks)
        return digest({"model": self.model, "trained_by": self.trained_by, "training": training,
                       "run": self.run.model_dump(mode="json", include=set(PixelSettings.model_fields))})

    @model_validator(mode="after")
    def _one_training(self) -> Pipeline:
        if self.training is not None and self.trained_by is not None:
            raise ValueError("give training or trained_by, not both")
        return self


def canonical_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """The one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """``sha256:<hex>`` of a value's canonical JSON."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()


def pipeline_names() -> list[str]:
    """Names of the shipped pipelines, sorted."""
    return sorted(path.stem for path in shipped_folder("configs").glob("*.yaml"))


def load_pipeline(name_or_path: str) -> Pipeline:
    """Read a shipped pipeline by name, or a YAML file by path (anything that ends in .yaml or .yml).

    Raises `ConfigError` (names file, key, what was got and expected) or `UnknownNameError`.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if not path.is_file():
            raise ConfigError(f"no pipeline file {name_or_path!r}; give an existing YAML or a name: "
                              f"{', '.join(pipeline_names())}")
    else:
        if name_or_path not in pipeline_names():
            raise lookup.unknown("pipeline", name_or_path, pipeline_names())
        path = shipped_folder("configs") / f"{name_or_path}.yaml"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read {name_or_path!r}: {reason}; give a YAML file in UTF-8") from error
    return parse_pipeline(text, where=str(path))


def parse_pipeline(text: str, where: str) -> Pipeline:
    """Parse YAML text; ``where`` names it in errors."""
    values = read_yaml(text, where)
    if not isinstance(values, dict):
        got = "nothing" if values is None else type(values).__name__
        raise ConfigError(f"{where} must hold a mapping with name, summary, domains ...; got {got}")
    return validate(Pipeline, values, where)


def validate(model: type[M], values: dict[str, Any], where: str) -> M:
    """Build a configuration, turning pydantic's findings into one `ConfigError` with a line for each."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in e['loc']) or '(whole)'}: {_finding(e)}" for e in error.errors()]
        raise ConfigError(f"{where} is not a valid configuration:\n" + "\n".join(lines)) from error


def _finding(found: ErrorDetails) -> str:
    """One of pydantic's findings in words for people who do not know pydantic."""
    if found["type"] == "extra_forbidden":
        return "unknown key; `translate pipelines show NAME` prints all that there are"
    if found["type"] == "missing":
        return "is missing"
    return f"{found['msg'].removeprefix('Value error, ')} (got {found['input']!r:.80})"
