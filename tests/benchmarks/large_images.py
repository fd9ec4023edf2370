"""Large images: the sweep against the whole image, and time and memory of sizes that do not fit whole.

    python -m tests.benchmarks.large_images                      # all; half an hour on two quiet cores
    python -m tests.benchmarks.large_images --compare 0 --sides 8192 --keep /tmp/large

A shipped photograph, enlarged, and mirrored to fill the square. Side by side, in rounds that take turns: the whole
image and the sweep. Then, each in a process of its own, from the bytes of a file to those of another: decode, translate
in parts, encode.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from tests.benchmarks._machine import machine, row
from translate.config import Domains
from translate.engines.padded import PaddedImage
from translate.engines.sweep import Sweep, reduced
from translate.engines.torch import TorchEngine
from translate.images import codec
from translate.images.picture import Limits, Picture
from translate.images.resize import resize
from translate.images.tensors import to_pixels, to_tensor
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator
from translate.provenance import Sizes, Work
from translate.registry import open_model
from translate.shipped import shipped_folder
from translate.stores.patience import never
from translate.translation.core import Core

if TYPE_CHECKING:
    from collections.abc import Callable

PHOTOGRAPH = "photos/mountain8.jpg"
ENLARGED = 4
"""So that details have about the size that they have in large photographs."""
REFERENCE = "resnet_9blocks"
"""The reference's generator of width 64, of weights drawn by lot with the spread that keeps signals alive."""
MAX_PIXELS = 10**10


def translator_of(name: str) -> Translator:
    """`REFERENCE`, or a model of the registry."""
    if name != REFERENCE:
        return open_model(name, None)
    architecture, config = parse_config("generator", {"architecture": "resnet"}, name)
    torch.manual_seed(0)
    network = build("generator", architecture, config)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter)
    facts = ModelFacts(name="reference", architecture=architecture, config=config.model_dump(),
                       domains=Domains(a="a", b="b"))
    return Translator(network, facts)


def photograph(side_px: int) -> np.ndarray:
    """(S, S, 3) uint8."""
    data = (shipped_folder("samples") / PHOTOGRAPH).read_bytes()
    small = codec.decode(data).pixels
    large = resize(small, small.shape[0] * ENLARGED, small.shape[1] * ENLARGED)
    missing = [max(0, side_px - side) for side in large.shape[:2]]
    return np.pad(large, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="symmetric")[:side_px, :side_px].copy()


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Of two uint8 pictures, dB."""
    error = float(np.square(a.astype(np.float32) - b).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def compare(model: str, side_px: int, rounds: int) -> None:
    """Whole and in parts, time and difference; and in parts with statistics of a copy."""
    pixels, exact = photograph(side_px), None
    what = f"{model}, {side_px} x {side_px}"
    for precision in ("float32", "bfloat16"):
        engine = TorchEngine(translator_of(model), device="cpu", precision=precision)
        sweep = Sweep(engine.translator, precision)
        times = []
        for _ in range(rounds):
            whole, whole_s = timed(engine.translate, pixels)
            swept, swept_s = timed(lambda x, sweep=sweep: sweep.translate(x, never), pixels)
            times.append((swept_s / whole_s, swept_s))
        exact = whole if exact is None else exact
        apart = np.abs(whole.astype(int) - swept)
        ratio, swept_s = (median(column) for column in zip(*times, strict=True))
        row(f"{what}, {precision}: in parts against whole",
            f"{ratio:.2f} x the time ({swept_s:.1f} s); at most {apart.max()} levels apart, {(apart > 1).mean():.2%} "
            f"of values more than one; from float32: whole {psnr(whole, exact):.1f} dB, "
            f"in parts {psnr(swept, exact):.1f} dB")
    near = approximate(sweep, engine.translator, pixels)
    row(f"{what}, {precision}: with statistics of pieces, a sixteenth of the picture",
        f"{psnr(near, swept):.1f} dB from the exact ones")


def timed(run: Callable[[torch.Tensor], torch.Tensor], pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """The translated picture and seconds."""
    x = to_tensor(pixels)[None]
    began = time.perf_counter()
    y = run(x)
    return to_pixels(y[0]), time.perf_counter() - began


def approximate(sweep: Sweep, translator: Translator, pixels: np.ndarray) -> np.ndarray:
    """As if the picture had sixteen times the pixels that a copy for its statistics may have."""
    near = np.empty_like(pixels)

    def write(top: int, left: int, part: torch.Tensor) -> None:
        near[top : top + part.shape[2], left : left + part.shape[3]] = to_pixels(part[0])

    copy = reduced(pixels, pixels.shape[0] * pixels.shape[1] // 16)
    assert sweep.run(PaddedImage(pixels, translator), write, never, PaddedImage(copy, translator))
    return near


def measure(model: str, side_px: int, precision: str, keep: str) -> None:
    """One image from bytes to bytes in this process; prints seconds and peak memory as JSON."""
    data = (Path(keep) / "source.jpg").read_bytes()
    engine = TorchEngine(translator_of(model), device="cpu", precision=precision)
    work = Work(model=model, model_digest="", size="native", format="keep", quality=92, pixels="exact",
                engine=engine.name)
    spent, last = {}, time.perf_counter()

    def part(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        spent[name], last = now - last, now

    limits = Limits(max_pixels=MAX_PIXELS, max_bytes=MAX_PIXELS)
    core = Core(engine, work, Sizes(whole_px=1, sweep_bytes=None), limits)
    picture = core.decode(data)
    part("decode")
    translated = core.translate(picture)
    part("translate")
    assert translated is not None
    assert translated.notes == ("in_parts",)
    encoded = core.encode(translated, "jpeg", core.mark_of(data))
    part("encode")
    (Path(keep) / f"{model}-{side_px}-{precision}.jpg").write_bytes(encoded)
    print(json.dumps({"spent": spent, "bytes": peak_bytes()}))


def peak_bytes() -> int:
    """Most memory that this process has had. Not ``ru_maxrss``: that is never less than what its parent had."""
    status = Path("/proc/self/status").read_text("ascii")
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def large(model: str, side_px: int, precision: str, folder: str) -> None:
    """`measure` in a process of its own."""
    picture = Picture(photograph(side_px), None, "jpeg")
    (Path(folder) / "source.jpg").write_bytes(codec.encode(picture, "jpeg", 92))
    command = [sys.executable, "-m", "tests.benchmarks.large_images", "--one", str(side_px), "--model", model,
               "--precision", precision, "--keep", folder]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    spent, beside = found["spent"], (found["bytes"] - 2**30) / side_px**2
    row(f"{model}, {side_px} x {side_px}, {precision}, from file to file",
        f"{spent['translate']:.0f} s, decode {spent['decode']:.1f} s, encode {spent['encode']:.1f} s; peak "
        f"{found['bytes'] / 2**30:.2f} GiB, which is 1 GiB and {beside:.0f} bytes a pixel")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=REFERENCE, help="%(default)s, or a model of the registry")
    parser.add_argument("--compare", type=int, default=2048, metavar="SIDE_PX", help="0 leaves it out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", type=int, nargs="*", default=[4096, 8192], metavar="SIDE_PX")
    parser.add_argument("--precision", default="bfloat16", choices=["float32", "bfloat16"])
    parser.add_argument("--keep", metavar="FOLDER", help="where the pictures stay, to be looked at")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.model, asked.one, asked.precision, asked.keep)
        return
    print(machine())
    if asked.compare:
        compare(asked.model, asked.compare, asked.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for side_px in asked.sides:
            large(asked.model, side_px, asked.precision, asked.keep or folder)


if __name__ == "__main__":
    main()
