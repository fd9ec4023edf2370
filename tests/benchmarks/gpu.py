"""Everything that needs an NVIDIA GPU, in one table: pixels, batches, first steps and speed of trainings.

    python -m tests.benchmarks.gpu                # what `make gpu` does, some minutes
    python -m tests.benchmarks.gpu --device cpu   # the same in a small size on a processor: checks this program

Exits 2 where there is no GPU, 1 if a row says that it fails. Pixels and first steps are compared with this machine's
processor; weights are drawn at random (strong ones for pixels), pictures are the shipped photographs.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from engine_networks import translator
from small_games import GAMES
from training_set import picture, png

from tests.benchmarks._machine import machine, row
from translate.config import Training, validate
from translate.engines.agreement import agreement_db, psnr_db
from translate.engines.opening import declared, device_of, engine_names, open_engine
from translate.engines.torch import TorchEngine
from translate.errors import UsageError
from translate.images.codec import decode
from translate.images.picture import Picture
from translate.images.resize import resize
from translate.models.contract import architectures
from translate.provenance import Sizes, Work
from translate.shipped import shipped_folder
from translate.stores import open_store
from translate.training.loop import train
from translate.translation.core import Core

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.stores.contract import ObjectStore

PRECISIONS = ("float32", "bfloat16")
BATCHES = (1, 8, 32)
"""Images that share a call of the engine."""
NEAR = 0.01
"""Most by which a term of the first loss may differ between the processor and a GPU, both in float32; of its value."""
NEAR_IN_BFLOAT16 = 0.1
"""The same between both precisions on the GPU."""
STEP_PX = 32
"""Side of the crops of a first step."""
WARM_UP = 3
"""Steps of a training that are not counted."""
FIGURES = ("images", "seconds", "rate", "images_per_s")
"""What a line of a training's status says beside its losses."""


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    px: int = 256
    generator: Mapping[str, object] = field(default_factory=dict)
    """Options of every generator beside its architecture."""
    trained: Mapping[str, object] = field(default_factory=lambda: {"architecture": "resnet"})
    pictures: int = 256
    games: tuple[str, ...] = tuple(GAMES)
    crop_px: int = 256
    batch: int = 8
    steps: int = 30


SMALL = Scale(px=32, generator={"width": 4}, trained={"architecture": "resnet", "width": 4, "blocks": 1}, pictures=3,
              games=("cyclegan-vanilla", "pix2pix", "cut"), crop_px=32, batch=1, steps=WARM_UP + 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        print("there is no NVIDIA GPU here that PyTorch can use; nothing was measured", file=sys.stderr)
        raise SystemExit(2)
    fails = report(device, Scale() if device == "cuda" else SMALL)
    if fails:
        print(f"{len(fails)} of these fail: {'; '.join(fails)}", file=sys.stderr)
        raise SystemExit(1)


def report(device: str, scale: Scale) -> list[str]:
    """Print the table; names of the rows that fail."""
    name = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}; " if device == "cuda" else ""
    row("machine", name + machine())
    table = Table()
    pixels(table, device, scale)
    core(table, device, scale)
    first_steps(table, device, scale)
    training_speed(device, scale)
    return table.fails


class Table:
    """Rows that say whether they hold what is demanded, and the names of those that do not."""

    def __init__(self) -> None:
        self.fails: list[str] = []

    def judge(self, what: str, result: str, demanded: str, *, holds: bool) -> None:
        """Print a row."""
        row(what, f"{result} ({demanded}){'' if holds else ' **fails**'}")
        if not holds:
            self.fails.append(what)


def photographs(px: int) -> list[Picture]:
    """The shipped ones, square."""
    files = sorted((shipped_folder("samples") / "photos").glob("*.jpg"))
    return [Picture(resize(decode(file.read_bytes()).pixels, px, px, how="auto"), None, "png") for file in files]


def pixels(table: Table, device: str, scale: Scale) -> None:
    """Every engine of the device against the processor's float32, with every architecture."""
    images = [picture.pixels for picture in photographs(scale.px)]
    for architecture in architectures("generator"):
        model = translator({"architecture": architecture, **scale.generator})
        for name in engine_names():
            if device_of(name) != device or declared(name).precision == "int8":
                continue
            try:
                engine = open_engine(name, model)
            except UsageError as error:
                print(error)
                continue
            found, least = agreement_db(engine, model, images), declared(name).least_db
            table.judge(f"pixels of {architecture}, {name} against float32 of the processor", f"{found:.1f} dB",
                        f"at least {least:g}", holds=found >= least)


class Batched(TorchEngine):
    """An engine of which as many images share a call as somebody says."""

    batch = 1


def core_of(engine: TorchEngine, whole_px: int) -> Core:
    """A core that translates pictures of more pixels in parts."""
    work = Work(model="m", model_digest="", size="native", format="png", quality=92, pixels="exact", engine=engine.name)
    return Core(engine, work, Sizes(whole_px=whole_px, sweep_bytes=None))


def core(table: Table, device: str, scale: Scale) -> None:
    """Images per second of the core where so many share a call; these pictures, and one in parts, against float32."""
    model = translator({"architecture": "resnet", **scale.generator})
    different = photographs(scale.px)
    exact = core_of(TorchEngine(model, device="cpu", precision="float32"), scale.px**2)
    wanted = [exact.translate(picture).pixels for picture in different]
    which = [number % len(different) for number in range(scale.pictures)]
    for precision in PRECISIONS:
        engine = Batched(model, device=device, precision=precision)
        what, least = f"core, resnet, {scale.px} x {scale.px}, {engine.name}", declared(engine.name).least_db
        worst, rates = {}, {}
        for count in BATCHES:
            engine.batch = count
            of_engine = core_of(engine, scale.px**2)
            with ThreadPoolExecutor(max(4, 2 * count)) as threads:
                list(threads.map(of_engine.translate, [different[index] for index in which[:count]]))  # warms up
                began = time.perf_counter()
                made = list(threads.map(of_engine.translate, [different[index] for index in which]))
            rates[count] = len(made) / (time.perf_counter() - began)
            worst[f"{count} in a call"] = min(psnr_db(each.pixels, wanted[index])
                                              for each, index in zip(made, which, strict=True))
        in_parts = core_of(engine, scale.px**2 - 1).translate(different[0])
        worst["in parts"] = psnr_db(in_parts.pixels, wanted[0])
        row(f"{what}: speed", "; ".join(f"{count} in a call {rate:.1f} images/s" for count, rate in rates.items()))
        table.judge(f"{what}: pixels", "; ".join(f"{how} {db:.1f} dB" for how, db in worst.items()),
                    f"at least {least:g}", holds=min(worst.values()) >= least)


def training_of(game: str, precision: str, crop_px: int, **options: object) -> Training:
    """One of `GAMES`."""
    objective, discriminator = GAMES[game]
    if objective["name"] == "cut":  # draws places on the device; where it takes all of them there is nothing to draw
        objective = {**objective, "patches": crop_px**2}
    return validate(Training, {
        "objective": objective, "discriminator": discriminator, "precision": precision,
        "generator": {"architecture": "resnet", "width": 8, "blocks": 1},
        "data": {"kind": "paired" if game.startswith("pix2pix") else "unpaired", "crop_px": crop_px,
                 "short_side_px": [crop_px, crop_px + 16]},
        "checkpoint_every_images": 10**9, "sample_every_images": 10**9, **options}, game)


def pictures_of(crop_px: int) -> ObjectStore:
    """A few to train on, a little larger than a crop."""
    store = open_store(f"memory://gpu/{crop_px}/")
    for number in range(16):
        store.put(f"train{'AB'[number % 2]}/{number // 2}.png", png(picture(number, crop_px + 16)))
    return store


def first_step(game: str, device: str, precision: str) -> dict[str, float]:
    """The terms of a training's first step, which begins with the same weights and images on every device."""
    output = open_store(f"memory://gpu/{game}/{device}/{precision}/")
    training = training_of(game, precision, STEP_PX, images=2, batch=2)
    train(training, pictures_of(STEP_PX), output, device=device, resume=False)
    (line,) = map(json.loads, output.get("status.jsonl").data.splitlines())
    return {name: value for name, value in line.items() if name not in FIGURES}


def apart(some: Mapping[str, float], others: Mapping[str, float]) -> float:
    """The most by which a term differs, of its value; infinite if one is not finite or the terms are others."""
    if some.keys() != others.keys() or not all(map(math.isfinite, [*some.values(), *others.values()])):
        return math.inf
    return max(abs(value - others[name]) / max(abs(value), 0.01) for name, value in some.items())


def first_steps(table: Table, device: str, scale: Scale) -> None:
    """The first step of every game; of one game of each objective also against the processor and in bfloat16."""
    for precision in PRECISIONS:
        found = {game: first_step(game, device, precision) for game in scale.games}
        bad = [game for game, terms in found.items() if not all(map(math.isfinite, terms.values()))]
        table.judge(f"first steps in {precision}", f"{len(found) - len(bad)} of {len(found)} games have finite losses",
                    ", ".join(bad) or "all", holds=not bad)
        if precision == "float32":
            exact = found
        # The first one of an objective is plain: nothing in it is drawn at random on the device.
        for game in {GAMES[game][0]["name"]: game for game in reversed(scale.games)}.values():
            if precision == "float32":
                other, limit, what = first_step(game, "cpu", precision), NEAR, "float32 against the processor's"
            else:
                other, limit, what = exact[game], NEAR_IN_BFLOAT16, "bfloat16 against those in float32"
            most = apart(other, found[game])
            table.judge(f"{game}: losses of its first step in {what}", f"{most:.2%} apart", f"at most {limit:.0%}",
                        holds=most <= limit)


def training_speed(device: str, scale: Scale) -> None:
    """Images per second of the loop as it is, by its median step."""
    rates = {}
    for precision in PRECISIONS:
        times = [time.perf_counter()]
        training = training_of("cyclegan-least_squares", precision, scale.crop_px, batch=scale.batch,
                               images=scale.batch * scale.steps,
                               generator=dict(scale.trained),
                               discriminator={"architecture": "patchgan", **scale.generator})
        train(training, pictures_of(scale.crop_px), open_store(f"memory://gpu/speed/{precision}/"), device=device,
              resume=False, on_progress=lambda _, times=times: times.append(time.perf_counter()))
        rates[precision] = scale.batch / median(after - before for before, after in pairwise(times[WARM_UP:]))
    row(f"training, cyclegan, {scale.crop_px} x {scale.crop_px}, batch {scale.batch}, on {device}",
        f"bfloat16 {rates['bfloat16']:.2f}, float32 {rates['float32']:.2f} images/s: "
        f"{rates['bfloat16'] / rates['float32']:.1f} times")


if __name__ == "__main__":
    main()
