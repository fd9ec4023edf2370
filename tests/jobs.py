"""Helpers of the tests of the batch job: a tiny network in a registry, small pictures, a job around them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from translate.batch.planning import Selection
from translate.batch.request import RunRequest
from translate.config import Domains, Run
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from translate.stores.contract import ObjectStore


def publish_tiny(
    folder: Path, name: str = "tiny", seed: int = 0, *, width: int = 4, blocks: int = 1, spread: float = 0.3
) -> str:
    """Publish a random resnet, a tiny one unless said otherwise, in a registry at ``folder``; returns the registry's
    URL. ``spread``: standard deviation of its weights."""
    torch.manual_seed(seed)
    values = {"architecture": "resnet", "width": width, "blocks": blocks}
    architecture, config = parse_config("generator", values, "test")
    network = build("generator", architecture, config)
    for parameter in network.parameters():  # away from the usual start, so that outputs are lively
        torch.nn.init.normal_(parameter, 0.0, spread)
    facts = ModelFacts(
        name=name, architecture=architecture, config=config.model_dump(), domains=Domains(a="noise", b="other noise")
    )
    ModelRegistry(str(folder)).publish(name, network, facts, {})
    return str(folder)


def picture(seed: int, height: int = 24, width: int = 32, *, kind: str = "PNG") -> bytes:
    """An encoded picture: a colour gradient with noise, different for each seed."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 200, 3) + np.linspace(0, 40, width)[None, :, None]
    pixels = np.clip(base + rng.integers(0, 16, (height, width, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind)
    return buffer.getvalue()


def fill(store: ObjectStore, count: int, **options: Any) -> list[str]:
    """Put ``count`` pictures into a store; returns their keys in order."""
    keys = [f"set{i % 3}/{i:04d}.png" for i in range(count)]
    for seed, key in enumerate(keys):
        store.put(key, picture(seed, **options))
    return sorted(keys)


def make_job(source: ObjectStore, output: ObjectStore, registry: str, **changes: Any) -> RunRequest:
    """A request over two stores with the tiny model; ``changes`` go to `RunRequest`, its settings or its selection."""
    settings = {k: changes.pop(k) for k in list(changes) if k in Run.model_fields}
    selection = {k: changes.pop(k) for k in list(changes) if k in Selection.__slots__}
    values: dict[str, Any] = {"pipeline": "", "model": "tiny", "registry_url": registry, **changes}
    request = {"source": source, "output": output, "settings": Run(**settings), "selection": Selection(**selection)}
    return RunRequest(**request, **values)


def contents(store: ObjectStore) -> dict[str, bytes]:
    """Everything in a store but the runs' records."""
    return {i.key: store.get(i.key).data for i in store.list() if not i.key.startswith("_translate/")}
