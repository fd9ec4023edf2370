"""The steps of a retraining: each makes one document of what those before it committed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from translate.config import Pipeline, validate
from translate.datasets.evaluation_set import held_out
from translate.errors import PointersMovedError
from translate.metrics.contract import short
from translate.metrics.evaluate import LEAST_IMAGES, Evaluator
from translate.metrics.record import record_of
from translate.objectives.contract import build_objective
from translate.retraining import gate
from translate.retraining.gate import Scores, Verdict
from translate.retraining.journal import (
    Begun,
    Challenger,
    Done,
    Evaluated,
    EvaluatedModels,
    Journal,
    TrainedModels,
    Verdicts,
)
from translate.retraining.snapshot import held_out_data
from translate.retraining.view import SnapshotView
from translate.stores import open_input
from translate.stores.patience import PatientStore
from translate.training.data import TrainingData
from translate.training.publish import model_names, publish_direction
from translate.training.roles import read_beginning

if TYPE_CHECKING:
    from translate.config import Data, Training
    from translate.datasets.evaluation_set import EvaluationSet
    from translate.metrics.tally import Figures
    from translate.progress import Listener
    from translate.registry import ModelRegistry
    from translate.retraining.snapshot import Difference, Snapshot
    from translate.stores.contract import ObjectStore
    from translate.training.roles import Beginning
    from translate.training.workers import Train

LEAST_SIZE_PX = 32
"""Smaller images have no checkerboard to be measured."""


@dataclass(frozen=True)
class UnderWay:
    """A retraining that has begun, and what its steps work with."""

    begun: Begun
    journal: Journal
    models: ModelRegistry
    training_output: ObjectStore
    train: Train
    on_progress: Listener

    @cached_property
    def pipeline(self) -> Pipeline:
        """As it was when the retraining began."""
        return pipeline_of(self.begun)

    @property
    def training(self) -> Training:
        """The pipeline's."""
        assert self.pipeline.training is not None
        return self.pipeline.training

    @cached_property
    def snapshot(self) -> Snapshot:
        """What it learns from."""
        return self.journal.snapshot(self.begun)

    @cached_property
    def data(self) -> ObjectStore:
        """The whole set, with what has come since."""
        return PatientStore(open_input(self.begun.data_url), known=False)


def pipeline_of(begun: Begun) -> Pipeline:
    """The pipeline as it was when a retraining began."""
    return validate(Pipeline, begun.pipeline, f"the pipeline of retraining {begun.retraining}")


def begin(
    journal: Journal,
    models: ModelRegistry,
    pipeline: Pipeline,
    snapshot: Snapshot,
    difference: Difference | None,
    *,
    retraining: str,
    began: datetime,
    data_url: str,
    why: str,
) -> Begun:
    """See that all of it can be done, and fix what is trained on, how, and which models serve.

    Raises `ConfigError`, `DataError`, `ModelError`, `StoreError`; then nothing has begun, but that a bare name may mean
    the version that served, or none, until one is promoted.
    """
    assert pipeline.training is not None
    data = PatientStore(open_input(data_url), known=False)
    check_images(pipeline, snapshot, data)
    directions = build_objective(pipeline.training.objective, "training.objective").directions
    for source, _ in directions.values():
        evaluator_of(SnapshotView(data, snapshot.held_out), pipeline, source)
    name = pipeline.name if pipeline.model is None else pipeline.model.partition("@")[0]
    names = model_names(directions, pipeline, name)
    champions = {name: _serving(models, name) for name in names.values()}
    journal.put_snapshot(retraining, snapshot)
    return journal.commit(retraining, Begun(
        retraining=retraining, began=began, why=why, data_url=data_url, snapshot_digest=snapshot.digest,
        counts=snapshot.counts, total_bytes=snapshot.total_bytes, difference=difference, champions=champions,
        pipeline=pipeline.model_dump(mode="json"),
    ))


def train_challengers(work: UnderWay) -> TrainedModels:
    """Train on the snapshot, from where an earlier call stopped; publish what came out, without promoting it."""
    begun, pipeline = work.begun, work.pipeline
    directions = build_objective(work.training.objective, "training.objective").directions
    names = model_names(directions, pipeline, next(iter(begun.champions)))
    trained = work.train(work.training, SnapshotView(work.data, work.snapshot.training), work.training_output,
                         begin=_beginning(work), minutes=None, resume=True, on_progress=work.on_progress,
                         pipeline=pipeline.name)
    challengers = []
    for role, name in names.items():
        version = _published(work.models, name, begun.retraining)
        if version is None:
            more = {"retraining": begun.retraining, "snapshot_digest": begun.snapshot_digest}
            reference = publish_direction(trained, role, pipeline, work.models, name, begun.data_url, more)
            version = int(reference.partition("@")[2])
        source: Literal["a", "b"] = "a" if directions[role][0] == "a" else "b"
        challengers.append(Challenger(name=name, source=source, version=version, champion=begun.champions[name]))
    return TrainedModels(challengers=tuple(challengers), images_seen=trained.seen, seconds=trained.seconds,
                         chosen_by=trained.chosen_by)


def evaluate(work: UnderWay, trained: TrainedModels) -> EvaluatedModels:
    """Score challengers and champions on the same held-out images, by the same network, over the same halves.

    The figures are kept beside the models, too.
    """
    view = SnapshotView(work.data, work.snapshot.held_out)
    models = []
    for each in trained.challengers:
        evaluator = evaluator_of(view, work.pipeline, each.source)
        found = []
        for reference in (each.reference, each.champion_reference):
            if reference is not None:
                found.append(evaluator.evaluate(work.models.load(reference), work.on_progress))
                work.models.add_evaluation(reference, record_of(found[-1]))
        judge = found[0].judge
        assert judge is not None, "the gate looks at KID"
        challenger, *champion = (_scores(score.output, score.model) for score in found)
        models.append(Evaluated(
            name=each.name, judge=judge, size_px=found[0].size_px, source_images=found[0].source_images,
            target_images=found[0].target_images, challenger=challenger, champion=champion[0] if champion else None,
            nothing=_scores(found[0].nothing, gate.NOTHING),
        ))
    return EvaluatedModels(models=tuple(models))


def decide(work: UnderWay, evaluated: EvaluatedModels) -> Verdicts:
    """Ask the gate about each challenger."""
    config = work.pipeline.retraining.gate
    return Verdicts(verdicts={each.name: gate.judge(each.challenger, each.champion, each.nothing, config)
                              for each in evaluated.models})


def promote(work: UnderWay, trained: TrainedModels, verdicts: Verdicts) -> Done:
    """Let those serve that passed, where the champion is still the one that they were compared with."""
    ends = [_promoted(work, each, verdicts.verdicts[each.name]) for each in trained.challengers]
    promoted = tuple(each.reference for each, (serves, _) in zip(trained.challengers, ends, strict=True) if serves)
    return Done(outcome="promoted" if promoted else "kept", finished=datetime.now(UTC), promoted=promoted,
                words=tuple(words for _, words in ends))


def check_images(pipeline: Pipeline, snapshot: Snapshot, data: ObjectStore) -> None:
    """See that a snapshot can be trained on and evaluated with, without reading an image.

    Raises `ConfigError`; `DataError` if something is wrong with the listing, or too few images are held out.
    """
    training = pipeline.training
    assert training is not None
    TrainingData(SnapshotView(data, snapshot.training), training.data, seed=training.seed)
    for source, _ in build_objective(training.objective, "training.objective").directions.values():
        held_out_images(SnapshotView(data, snapshot.held_out), training.data, source)


def held_out_images(view: ObjectStore, data: Data, source: str) -> EvaluationSet:
    """What the gate looks at in one direction, of a view of the held-out images; `DataError` if that is too few."""
    images = held_out(view, held_out_data(data), "a" if source == "a" else "b")
    images.require(LEAST_IMAGES, "raise retraining.holdout.share or add images; where training.data names test "
                                 "images, add some of those")
    return images


def evaluator_of(view: ObjectStore, pipeline: Pipeline, source: str) -> Evaluator:
    """Scores translators of one direction on a view of the held-out images.

    Raises `DataError` if too few images are held out, `ModelError` if the judge has no weights.
    """
    training, config = pipeline.training, pipeline.retraining
    assert training is not None
    return Evaluator(
        view, held_out_images(view, training.data, source), size_px=max(LEAST_SIZE_PX, training.data.crop_px),
        limit=config.holdout.images, halves=config.gate.subsets,
    )


def _serving(models: ModelRegistry, name: str) -> int | None:
    """The champion, after it was made one: without a pointer the newest version serves, and that would be the
    challenger before anybody has looked at it. None if there is none; then none serves until one has passed."""
    pointers = models.pointers(name)
    if pointers.champion is not None or pointers.gated:
        return pointers.champion
    versions = [line.version for line in models.list() if line.name == name]
    if not versions:
        return models.gate(name, expected=pointers).champion
    why = "it serves as the newest; a retraining begins, whose model does not serve before it passed the gate"
    return models.promote(f"{name}@{max(versions)}", expected=pointers, why=why).champion


def _beginning(work: UnderWay) -> Beginning | None:
    name, champion = next(iter(work.begun.champions.items()))
    if champion is None or work.pipeline.retraining.begin_from == "nothing":
        return None
    return read_beginning(f"{name}@{champion}", work.models.url, "G_ab")


def _published(models: ModelRegistry, name: str, retraining: str) -> int | None:
    """The version that an earlier call of this retraining published before it was killed."""
    found = models.find(name, lambda model: model.provenance.get("retraining") == retraining)
    return None if found is None else int(found.partition("@")[2])


def _scores(figures: Figures, reference: str) -> Scores:
    """What the gate looks at: the measures that have a margin."""
    values = figures.means | {name: estimate.value for name, estimate in figures.distances.items()}
    return Scores(model=reference, values={short(name): values[name] for name in figures.halves},
                  halves={short(name): halves for name, halves in figures.halves.items()})


def _promoted(work: UnderWay, challenger: Challenger, verdict: Verdict) -> tuple[bool, str]:
    """Whether a challenger serves now, and why or why not."""
    champion = challenger.champion_reference
    stays = f"{champion} stays" if champion else f"{challenger.reference} is not promoted"
    reasons = "; ".join(verdict.reasons)
    if not verdict.passed:
        return False, f"{stays}: {reasons}"
    now = work.models.pointers(challenger.name)
    if any(move.to_version == challenger.version for move in now.moves):  # by a call that was killed right after
        return True, f"{challenger.reference} was promoted: {reasons}"
    if now.champion != challenger.champion:
        return False, (f"{challenger.reference} passed, but was not compared with {challenger.name}@{now.champion}, "
                       "which somebody made champion meanwhile")
    why = f"retraining {work.begun.retraining}: {reasons}"
    try:
        work.models.promote(challenger.reference, expected=now, why=why)
    except PointersMovedError as error:
        return False, f"{challenger.reference} is not promoted: {error}"
    return True, f"{challenger.reference} serves now: {reasons}"
