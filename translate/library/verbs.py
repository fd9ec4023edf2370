"""Training, evaluation, import and export as functions, with the arguments of the command line, which calls them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from translate.engines.export import export
from translate.errors import UsageError
from translate.library.places import Places
from translate.metrics.evaluate import JUDGE, Evaluator
from translate.progress import Listener, silent
from translate.registry import ModelRegistry, check_name, import_foreign, open_model
from translate.stores import open_input, open_store
from translate.training.group import check_divides
from translate.training.memory import Memory, check_memory
from translate.training.networks import device_of
from translate.training.publish import publish as publish_models
from translate.training.resolve import resolve_training
from translate.training.roles import read_beginning
from translate.training.workers import find_train, refuse_gpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.config import Pipeline
    from translate.engines.export import Exported, Form
    from translate.metrics.evaluate import Evaluation
    from translate.training.networks import Device

    Place = str | os.PathLike[str]
    """A path or URL."""


@dataclass(frozen=True, slots=True)
class TrainingDone:
    """What came of a training."""

    images: int
    """Seen in all, also before it was resumed."""
    seconds: float
    """Of training in all."""
    output: str
    """Where checkpoints, sample sheets and ``training.html`` are."""
    published: tuple[str, ...]
    """``name@version`` of each model."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a training would do."""

    resolved: Pipeline
    """The pipeline with its overrides."""
    memory: Memory
    """What it would take."""


def train(
    pipeline: Place,
    data: Place,
    *,
    output: Place | None = None,
    images: int | None = None,
    minutes: float | None = None,
    publish: str | None = None,
    registry: Place | None = None,
    resume: Literal["auto", "never"] = "auto",
    from_: str | None = None,
    generator_alone: bool = False,
    seed: int | None = None,
    workers: int | None = None,
    device: Device = "auto",
    set_: Sequence[str] = (),
    progress: Listener = silent,
) -> TrainingDone:
    """Train a pipeline's translator, as `translate train` does; the same call again resumes it.

    ``pipeline`` is a shipped one's name or a YAML file, ``data`` the folder or URL with the folders that it names.
    Checkpoints and sample sheets go to ``output``, by default ``./training/<pipeline>``. It ends after ``images``
    seen (None: as many as the pipeline says) or ``minutes`` of training in all. With ``publish`` the model is then
    in the ``registry`` under that name. ``resume="never"`` removes the checkpoints that are there. ``from_`` is a
    model to begin from, with ``generator_alone`` without the other networks of its game, ``seed`` that of weights
    and order, ``workers`` how many on Ray divide each batch (None: this process trains alone), ``device`` ``auto``,
    ``cpu`` or ``cuda``, ``set_`` overrides such as ``["train.batch=4"]``. ``progress`` gets a
    `translate.progress.Progress` now and then.

    Raises `ConfigError`, `UsageError`, `DataError`, `ModelError`, `StoreError` and `TrainingError`.
    """
    plan, models = _checked(pipeline, images, seed, set_, publish, registry, output, workers, device)
    assert plan.training is not None
    run_training = find_train(workers, device)
    url = None if registry is None else os.fspath(registry)
    begin = read_beginning(from_, url, "G_ab", generator_alone=generator_alone) if from_ else None
    place = f"./training/{plan.name}" if output is None else os.fspath(output)
    trained = run_training(
        plan.training, open_input(os.fspath(data)), open_store(place), begin=begin, minutes=minutes,
        resume=resume == "auto", on_progress=progress, pipeline=plan.name,
    )
    names = publish_models(trained, plan, models, publish, os.fspath(data)) if publish is not None else []
    return TrainingDone(trained.seen, trained.seconds, place, tuple(names))


def plan_training(
    pipeline: Place,
    *,
    output: Place | None = None,
    images: int | None = None,
    publish: str | None = None,
    registry: Place | None = None,
    seed: int | None = None,
    workers: int | None = None,
    device: Device = "auto",
    set_: Sequence[str] = (),
) -> TrainingPlan:
    """What `train` with the same arguments would do, without doing it; reads no data and starts no worker.

    Raises `ConfigError` and `UsageError` for arguments that `train` would refuse.
    """
    resolved, _ = _checked(pipeline, images, seed, set_, publish, registry, output, workers, device)
    assert resolved.training is not None
    check_divides(resolved.training.batch, workers or 1)
    on = device_of(device if workers is None else "cpu")
    return TrainingPlan(resolved, check_memory(resolved.training, workers or 1, here=workers or 1, device=on))


def _checked(
    pipeline: Place,
    images: int | None,
    seed: int | None,
    set_: Sequence[str],
    publish: str | None,
    registry: Place | None,
    output: Place | None,
    workers: int | None,
    device: Device,
) -> tuple[Pipeline, ModelRegistry]:
    """The pipeline with its overrides, and the registry; mistakes are told before the night, not after it."""
    seeded = [] if seed is None else [f"train.seed={seed}"]
    resolved = resolve_training(os.fspath(pipeline), [*set_, *seeded], images)
    models = ModelRegistry(None if registry is None else os.fspath(registry))
    if publish is not None:
        check_name(publish)
    if output == "":
        raise UsageError("output is empty; give a folder or URL, or leave it out")
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} workers cannot train; give 1 or more, or None to train in this process")
    refuse_gpu(workers, device)
    return resolved, models


def evaluate(
    model: Place,
    data: Place,
    *,
    pipeline: Place | None = None,
    layout: Literal["folders", "side_by_side", "manifest"] = "folders",
    source: str | None = None,
    target: str | None = None,
    pairs: str | None = None,
    paired: bool = False,
    real: str | None = None,
    size: int | None = None,
    metrics: Sequence[str] | None = None,
    judge: str = JUDGE,
    registry: Place | None = None,
    endpoint_url: str | None = None,
    progress: Listener = silent,
) -> Evaluation:
    """Score a model on test images, beside doing nothing and beside real images, as `translate evaluate` does.

    ``model`` is one of the registry or a path, ``data`` the folder or URL of the set. Either ``pipeline`` says which
    images, those that its training holds out, or: with the layout ``folders``, ``source`` (default: ``testA``) and
    ``target`` (``testB``) are the folders with images to translate and images of the target domain, with ``paired``
    answers of the same name; with ``side_by_side`` and ``manifest``, ``pairs`` is the folder or the file of the pairs,
    and ``source`` their part to translate. ``real``: a folder of other real images of the target domain. ``size``:
    working size in pixels (default: the pipeline's crop, or 128). ``metrics``: None for all that apply, except those
    that need thousands of images. ``judge``: the feature network.

    Raises `DataError`, `ConfigError`, `ModelError`, `UsageError` and `StoreError`.
    """
    translator = open_model(os.fspath(model), None if registry is None else os.fspath(registry))
    store = open_input(os.fspath(data), endpoint_url=endpoint_url)
    places = Places(None if pipeline is None else os.fspath(pipeline), layout, source, target, pairs, paired)
    images = places.list(store, translator.facts.domains)
    evaluator = Evaluator(store, images, size_px=places.size_px(size), real=real, judge=judge, chosen=metrics)
    return evaluator.evaluate(translator, progress)


def import_model(
    file: Place,
    name: str,
    *,
    registry: Place | None = None,
    dropout: bool = False,
    keep_blocks: Sequence[int] | None = None,
) -> str:
    """Publish a generator of pytorch-CycleGAN-and-pix2pix, CUT or pix2pixHD under a name; returns ``name@version``.

    ``file`` is the path or URL of its ``.pth`` file; the architecture is inferred from it, and code in it is never
    run. ``dropout``: this U-Net was trained with dropout, which its file does not say. ``keep_blocks``: of an
    RRDB network in ncnn's form, only these residual blocks, from 0. Raises `ModelError` and `UsageError`.
    """
    url = None if registry is None else os.fspath(registry)
    return import_foreign(os.fspath(file), name, registry_url=url, dropout=dropout, keep_blocks=keep_blocks)


def export_model(name: Place, to: Form, into: Place, *, registry: Place | None = None) -> Exported:
    """Write a model for another runtime, with dynamic height and width, and check that it gives the same.

    ``to`` is ``onnx``, ``openvino`` or ``torchscript``, ``into`` a folder on this machine. Raises `ModelError` if what
    was written differs from the model, and `UsageError` if a package is not installed.
    """
    translator = open_model(os.fspath(name), None if registry is None else os.fspath(registry))
    return export(translator, to, Path(into))
