"""Scores translators on test images: beside doing nothing, and beside what real images score among themselves.

Protocol. Images are cut to their centre square and resized to ``size_px`` (Lanczos); the translator runs at that
size, in float32, one image at a time. Pixel measures are taken at that size on [0, 1]. The feature network sees
images resized to its own size (128 px for the default; bicubic, antialiased, clamped). Averages are over images. So
nothing depends on a batch size or on the order of the images.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from translate import lookup
from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.datasets.layout import Source
from translate.errors import ModelError, UsageError
from translate.images.resize import resize
from translate.images.tensors import to_tensor
from translate.metrics.contract import Distance, OfSets, Seen, measures, measures_of, metrics
from translate.metrics.tally import Rows, Tally, named
from translate.models.features import open_features
from translate.progress import Listener, Progress, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from translate.datasets.evaluation_set import EvaluationSet
    from translate.datasets.layout import Images
    from translate.metrics.contract import Measure
    from translate.metrics.subsets import Estimate
    from translate.metrics.tally import Figures
    from translate.models.features import Features
    from translate.models.translator import Translator
    from translate.stores.contract import ObjectStore

JUDGE = "efficientnet-lite0"
"""The feature network of distances where none is named; never one that is trained against."""
LEAST_IMAGES = 4
KEPT_BYTES = 512 * 2**20
"""Of images and their features kept between evaluations; what is beyond is read and looked at again."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of a translator and what to hold them against."""

    model: str
    judge: str | None
    """Name of the feature network, also of the one behind ``layer_distance`` and ``distance_to_source``; None where no
    measure needs one."""
    size_px: int
    source_images: int
    target_images: int
    output: Figures
    nothing: Figures
    """The untouched input taken for the output."""
    mean_colour: Figures | None
    """The answers' mean colour everywhere, taken for every output; None where answers are not compared with."""
    floor: dict[str, Estimate]
    """By name of the distance: random halves of the target images against each other."""
    real: dict[str, float]
    """By name: other real images against the target images, in the measures that are compared with them; empty where
    none were given."""
    remarks: tuple[str, ...]
    """What keeps a figure from being trusted, in sentences."""
    data: str
    """URL of the set."""
    source: str
    """Where the images lie that were translated, see `translate.datasets.evaluation_set.EvaluationSet`."""
    target: str
    """Where those lie that they were compared with."""
    paired: bool
    images_digest: str
    """``sha256:<hex>`` of all of these images at the working size: the same wherever they lie."""


@dataclass(frozen=True, slots=True)
class _Reference:
    """What every translator is held against, measured once."""

    targets: Rows
    """What measures of whole sets keep of the target images."""
    nothing: Figures
    mean_colour: Figures | None
    floor: dict[str, Estimate]
    real: dict[str, float]
    remarks: tuple[str, ...]


class Evaluator:
    """Scores any number of translators on the same images; real images are read and looked at once.

    ``images``: those of the store to translate and to compare with. ``limit``: at most so many of each side, evenly
    spread over the sorted names. ``real``: a folder with other real images of the target's domain.
    ``judge``: a name for `open_features`; it is opened where a measure needs it. ``chosen``: names of metrics; None is
    all that apply, but those that are taken on request only. ``halves``: so many random halves are scored by
    themselves, too.

    Raises `DataError` for too few images, `UsageError` for a choice that can't be, `ModelError` for
    a judge without weights.
    """

    def __init__(
        self,
        store: ObjectStore,
        images: EvaluationSet,
        *,
        size_px: int = 128,
        limit: int | None = None,
        real: str | None = None,
        judge: str = JUDGE,
        chosen: Sequence[str] | None = None,
        halves: int = 0,
    ) -> None:
        if limit is not None and limit < LEAST_IMAGES:
            raise UsageError(f"a limit of {limit} images is too low; an evaluation needs at least {LEAST_IMAGES}")
        images.require(LEAST_IMAGES, "add images, or name a place with more")
        self._measures = _chosen(chosen, pairs=images.pairs)
        # Networks draw weights before theirs are loaded; who trains must not notice.
        with torch.random.fork_rng(devices=[]):
            self._judge = open_features(judge) if any(each.judge for each in self._measures) else None
        self._sources = _spread_out(images.sources, limit)
        self._targets = _spread_out(images.targets, limit)
        self._others = {} if real is None else _spread_out(
            {name: Source(key) for name, key in image_keys(store, real).items()}, limit)
        self._store = store
        self._images = images
        self._pairs = images.pairs
        self._size_px = size_px
        self._halves = halves
        self._kept: dict[Source, Seen] = {}
        self._kept_bytes = 0
        self._reference: _Reference | None = None
        self._digest = hashlib.sha256()
        """Of the source and target images, by name."""

    def evaluate(self, translator: Translator, report: Listener = silent) -> Evaluation:
        """Translate every source image and compare; the first call looks at the real images, too.

        Torch's global random state and the network's train or eval modes stay as they are. Raises `DataError` for
        an unreadable image, `ModelError` for an output that is not finite.
        """
        step = _counter(report, self._total(first=self._reference is None))
        outputs, nothing = (Tally(self._measures, self._judge_name) for _ in range(2))
        targets = Rows(self._measures, "target")
        if self._reference is None:
            self._digest = hashlib.sha256()
        for name, place in self._sources.items():
            source = self._real(place)
            answer = self._real(self._targets[name]) if self._pairs else None
            with _evaluating(translator.network):
                output = _translated(translator, source.image, place.key)
            outputs.add(source, self._look(output), answer)
            if self._reference is None:
                nothing.add(source, source, answer)
                self._note(name, source.image)
                if answer is not None:
                    self._note(name, answer.image)
                    targets.add(answer)
            step()
        if self._reference is None:
            self._reference = self._compared(nothing, targets, step)
        against = self._reference
        return Evaluation(
            model=translator.facts.reference, judge=self._judge_name, size_px=self._size_px,
            source_images=len(self._sources), target_images=len(self._targets),
            output=outputs.figures(against.targets, self._halves), nothing=against.nothing,
            mean_colour=against.mean_colour, floor=against.floor, real=against.real, remarks=against.remarks,
            data=self._store.url, source=self._images.source, target=self._images.target, paired=self._pairs,
            images_digest="sha256:" + self._digest.hexdigest(),
        )

    @property
    def _judge_name(self) -> str | None:
        return None if self._judge is None else self._judge.name

    @torch.no_grad()
    def _look(self, image: Tensor) -> Seen:
        """An image, (1, 3, H, W) in [-1, 1], with what the judge sees in it."""
        if self._judge is None:
            return Seen(image, None)
        sides = (self._judge.side_px, self._judge.side_px)
        seen = F.interpolate(image, sides, mode="bicubic", align_corners=False, antialias=True)
        features: Features = self._judge(seen.clamp(-1, 1))
        return Seen(image, features)

    def _total(self, *, first: bool) -> int:
        """How many images a call looks at, a pair counted once."""
        unseen = len(self._others) + (0 if self._pairs else len(self._targets))
        return len(self._sources) + (unseen if first else 0)

    def _compared(self, nothing: Tally, targets: Rows, step: Callable[[], None]) -> _Reference:
        """Look at the real images that were not looked at yet; pairs' answers are among the ``targets`` already."""
        others = Rows(self._measures, "target")
        for images, into in (({} if self._pairs else self._targets, targets), (self._others, others)):
            for name, place in images.items():
                image = _read(self._store, place, self._size_px)
                if into is targets:
                    self._note(name, image)
                into.add(self._look(image))
                step()
        of_sets = [each for each in self._measures if isinstance(each, OfSets) and each.against == "target"]
        distances = [each for each in of_sets if isinstance(each, Distance)]
        remarks = [each.remark(len(self._sources), *targets.of(each).shape) for each in distances]
        return _Reference(
            targets=targets, nothing=nothing.figures(targets, self._halves), mean_colour=self._mean_colour(targets),
            floor={named(each, self._judge_name): each.floor(targets.of(each)) for each in distances},
            real={named(each, self._judge_name): _figure(each, others, targets) for each in of_sets}
            if self._others else {},
            remarks=tuple(remark for remark in remarks if remark is not None),
        )

    def _mean_colour(self, targets: Rows) -> Figures | None:
        """What one picture for all scores, the answers' mean colour everywhere; None where there are no answers."""
        compared = [each for each in self._measures if each.against in ("answer", "target")]
        if not any(each.against == "answer" for each in compared):
            return None
        colours = [self._real(place).image.mean(dim=(2, 3), keepdim=True) for place in self._targets.values()]
        picture = torch.cat(colours).mean(0, keepdim=True).expand(1, 3, self._size_px, self._size_px).contiguous()
        seen = self._look(picture)
        tally = Tally(compared, self._judge_name)
        for place in self._targets.values():
            answer = self._real(place)
            tally.add(answer, seen, answer)
        return tally.figures(targets)

    def _note(self, name: str, image: Tensor) -> None:
        self._digest.update(f"{name}\n".encode("utf-8", "surrogatepass"))
        self._digest.update(image.numpy().tobytes())

    def _real(self, place: Source) -> Seen:
        """A real image and what is seen in it; kept for the next evaluation while there is room."""
        if place in self._kept:
            return self._kept[place]
        seen = self._look(_read(self._store, place, self._size_px))
        if self._kept_bytes + seen.nbytes <= KEPT_BYTES:
            self._kept[place] = seen
            self._kept_bytes += seen.nbytes
        return seen


def _chosen(chosen: Sequence[str] | None, *, pairs: bool) -> tuple[Measure, ...]:
    """The measures of the chosen metrics that can be taken, in the order of all measures."""
    def possible(measure: Measure) -> bool:
        return pairs or measure.against != "answer"

    if chosen is None:
        return tuple(each for each in measures() if possible(each) and not each.on_request)
    asked: list[Measure] = []
    for name in chosen:
        if name not in metrics():
            raise lookup.unknown("metric", name, metrics())
        asked += measures_of(name)
        if not any(possible(each) for each in measures_of(name)):
            raise UsageError(f"the metric {name!r} compares with answers; add --paired where the target images are the "
                             "answers to the source images of the same name, or leave it out")
    return tuple(each for each in measures() if each in asked and possible(each))


def _figure(measure: OfSets, outputs: Rows, targets: Rows) -> float:
    rows, wanted = outputs.of(measure), targets.of(measure)
    return measure.estimate(rows, wanted).value if isinstance(measure, Distance) else measure.value(rows, wanted)


def _spread_out(images: Images, limit: int | None) -> Images:
    if limit is None or len(images) <= limit:
        return images
    names = sorted(images)
    return {name: images[name] for name in (names[i * len(names) // limit] for i in range(limit))}


def _counter(report: Listener, total: int) -> Callable[[], None]:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report(Progress(done, total, "images"))

    return step


def _read(store: ObjectStore, place: Source, size_px: int) -> Tensor:
    square = centre_square(place.cut(read_pixels(store, place.key)))
    return to_tensor(resize(square, size_px, size_px, how="lanczos")).unsqueeze(0)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; whoever trains the network finds every module in the mode it was."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _translated(translator: Translator, image: Tensor, key: str) -> Tensor:
    output = translator.of_rgb(image)
    if not bool(output.isfinite().all()):
        raise ModelError(f"{translator.facts.reference} gives values that are not finite for {key}; "
                         "its weights are damaged or its training diverged")
    return output
