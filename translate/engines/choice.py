"""Which engine a job takes: measured for a moment, checked against float32, and remembered."""

from __future__ import annotations

import importlib.util
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from translate.engines.agreement import agreement_db
from translate.engines.findings import Findings
from translate.engines.opening import declared, open_engine
from translate.engines.torch import engine_name, has_bfloat16, pick_device
from translate.errors import UsageError
from translate.images.tensors import to_channels, to_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from translate.engines.contract import Engine
    from translate.engines.torch import Device
    from translate.models.translator import Translator

    Images = Callable[[], Sequence[NDArray[np.uint8]]]
    """Gives a few uint8 (H, W, 3) RGB pictures at the working size; asked only if something has to be found out."""

FEW_IMAGES = 32
"""Fewer are translated by PyTorch at once: opening another engine takes seconds."""
WORTH_S = 10.0
"""Nor is another looked at for a job that PyTorch does in less."""
MOST_PX = 512
"""Side of the part of an image that is measured with."""
ROUNDS = 3
"""The first of them warms up."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine, and why."""

    engine: Engine
    why: str
    """One line for people; empty where there was nothing to choose and nothing to refuse."""


def choose(translator: Translator, device: Device, count: int, images: Images, samples: Images) -> Choice:
    """The fastest engine of a device for ``count`` images, among those that agree with float32.

    ``images`` are the job's own, ``samples`` any other real ones, for a job of few images. What is found is
    remembered for this machine and model. Raises `UsageError` if the device is not there.
    """
    findings = Findings(translator)
    usual = engine_name(device)
    few = count < FEW_IMAGES
    refused: list[str] = []

    def opened(name: str) -> Engine | None:
        try:
            engine = open_engine(name, translator)
        except UsageError as error:  # OpenVINO is there, but with one core
            refused.append(str(error))
            return None
        db = agreement(engine, translator, findings, samples if few else images)
        if db >= declared(name).least_db:
            return engine
        refused.append(f"{name} is refused: {_disagreement(db, name)}")
        return None

    first = opened(usual)
    if first is None and pick_device(device) == "cpu":
        first = opened("torch-float32")
    if first is None:
        raise UsageError(f"{'; '.join(refused)}. Give --device cpu")
    other = None if few or first.device != "cpu" else _other()
    if other is None or _ms(first, findings, images) * count < WORTH_S * 1000:
        return Choice(first, "; ".join(refused))
    engines = [first] if (found := opened(other)) is None else [first, found]
    timed = sorted(((_ms(engine, findings, images), engine) for engine in engines), key=lambda pair: pair[0])
    best = timed[0][1]
    told = ", ".join(f"{engine.name} {ms:.3g} ms" for ms, engine in timed)
    return Choice(best, "; ".join([f"engine {best.name}, the fastest here for this model ({told} an image)", *refused]))


def open_checked(name: str, translator: Translator, images: Images, calibrated: bytes | None = None) -> Engine:
    """The engine that was asked for by name. Raises `UsageError` if it is too far from float32, and as `open_engine`
    does."""
    engine = open_engine(name, translator, calibrated)
    db = agreement(engine, translator, Findings(translator), images)
    if db < declared(name).least_db:
        raise UsageError(f"engine {name} is refused for this model: {_disagreement(db, name)}; take "
                         f"another, such as {'torch-float32' if engine.device == 'cpu' else '--device cpu'}")
    return engine


def agreement(engine: Engine, translator: Translator, findings: Findings, images: Images) -> float:
    """PSNR in decibels against float32 on this machine, measured when the engine is first used with a model."""
    if engine.name == "torch-float32":
        return math.inf
    db = findings.get("db", engine.name)
    if db is None:
        db = agreement_db(engine, translator, images())
        findings.note("db", engine.name, db)
    return db


def _disagreement(db: float, name: str) -> str:
    least = declared(name)
    return (f"its pictures are {db:.1f} dB from those in float32 (PSNR, on real images), and "
            f"{least.least_db:g} dB is the least for {least.precision}")


def _other() -> str | None:
    """The engine beside PyTorch that this processor has and that needs nothing but the model."""
    if importlib.util.find_spec("openvino") is None:  # not by importing it, which takes seconds that may be in vain
        return None
    return "openvino-bfloat16" if has_bfloat16("cpu") else "openvino-float32"


def _ms(engine: Engine, findings: Findings, images: Images) -> float:
    """Milliseconds that an image takes when the engine has as many in hand as it likes."""
    image = images()[0][:MOST_PX, :MOST_PX]
    key = f"{engine.name} at {2 ** round(math.log2(image.shape[0] * image.shape[1]))} pixels"
    ms = findings.get("ms", key)
    if ms is not None:
        return ms
    x = to_channels(to_tensor(image), engine.translator.in_channels)[None]
    at_once = [x] * engine.concurrency
    rounds = []
    with ThreadPoolExecutor(engine.concurrency) as threads:
        for _ in range(ROUNDS):
            start = time.perf_counter()
            list(threads.map(engine.translate, at_once))
            rounds.append((time.perf_counter() - start) * 1000 / engine.concurrency)
    ms = min(rounds[1:])
    findings.note("ms", key, ms)
    return ms
