"""From a training's output to its page: reads what the training wrote there, writes ``training.html`` beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from translate.errors import NotFoundError
from translate.images.codec import decode, encode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.pages.training import (
    SHOWN_SHEETS,
    Event,
    Scored,
    Sheet,
    TrainingPage,
    TrainingState,
    render_training_page,
    spread,
)
from translate.provenance import versions
from translate.training.record import read_lines

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

PAGE_KEY = "training.html"
SHEET_PX = 1440
"""Longer side of a sheet on the page; a dozen then take some megabytes."""
SHEET_QUALITY = 82


def write_page(
    output: ObjectStore,
    *,
    state: TrainingState,
    seen: int,
    seconds: float,
    pipeline: str = "",
    reason: str = "",
    minutes: float | None = None,
    data_url: str = "",
    data_summary: str = "",
    precision: str = "",
    config_digest: str = "",
) -> None:
    """Write ``training.html``: what ``output`` holds of a training that has seen ``seen`` images in ``seconds``.

    Reads ``config.json``, ``status.jsonl``, ``samples/``, ``evaluations.jsonl`` and ``events.jsonl``; what is absent is
    left out. Lines and sheets beyond ``seen`` were made by an end that was lost before a resume, and are left out too;
    events are not, because going back is one of them.
    ``reason``: why the training stopped. ``minutes``: the time after which it ends, if that was given.
    """
    status = read_lines(output, "status.jsonl", up_to=seen)
    config = _config(output)
    keys = [key for key in _sheet_keys(output) if _images(key) <= seen]
    provenance = {
        "data": data_url, "training set": data_summary, "precision": precision, "seed": str(config.get("seed", "")),
        "configuration": config_digest, "output": output.url,
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    speed = status[-1].get("images_per_s") if status else None
    page = TrainingPage(
        pipeline=pipeline,
        state=state,
        reason=reason,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        seen=seen,
        seconds=seconds,
        minutes=minutes,
        images_per_s=speed or (seen / seconds if seconds > 0 else None),
        config=config,
        status=status,
        sheets=[_sheet(output, key) for key in spread(keys, SHOWN_SHEETS)],
        sheets_made=len(keys),
        evaluations=[Scored(line["images"], line["seconds"], line["scores"], line["best"])
                     for line in read_lines(output, "evaluations.jsonl", up_to=seen)],
        events=[Event(line["images"], line["event"], line["message"]) for line in read_lines(output, "events.jsonl")],
        provenance=provenance,
    )
    output.put(PAGE_KEY, render_training_page(page), content_type="text/html; charset=utf-8")


def _config(output: ObjectStore) -> dict[str, Any]:
    """Plain values before nested ones, each in alphabetical order, as people look for them."""
    try:
        values: dict[str, Any] = json.loads(output.get("config.json").data)
    except NotFoundError:
        return {}
    return dict(sorted(values.items(), key=lambda item: (isinstance(item[1], dict), item[0])))


def _sheet_keys(output: ObjectStore) -> list[str]:
    return [info.key for info in output.list("samples/") if info.key.endswith(".png")]


def _images(key: str) -> int:
    """``samples/0000002000.png`` -> 2000."""
    return int(key.removeprefix("samples/").removesuffix(".png"))


def _sheet(output: ObjectStore, key: str) -> Sheet:
    pixels = decode(output.get(key).data).pixels
    height, width = pixels.shape[:2]
    scale = min(1.0, SHEET_PX / max(height, width))
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    small = Picture(resize(pixels, height, width, how="lanczos"), None, "jpeg")
    return Sheet(_images(key), encode(small, "jpeg", SHEET_QUALITY), width, height)
