"""Every engine of this processor against eager float32 on the same weights, one image at a time, in turns.

    python -m tests.benchmarks.engines                    # resnet_9blocks and unet_256, width 64, 256 x 256
    python -m tests.benchmarks.engines --rounds 3

Each engine takes turns with eager float32 alone, as a job has one engine; int8 is calibrated in a process of its own,
after which eager float32 would be faster, as memory was had from the system before. Eager float32 is the network itself
with all of torch's threads, as the reference's test script runs it. Weights are drawn at random: they decide no time,
only int8's agreement, which `translate run` measures on real ones.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import torch

from tests.benchmarks._machine import machine, row
from tests.engine_networks import translator
from translate.engines.agreement import agreement_db
from translate.engines.calibration import calibrate
from translate.engines.opening import device_of, engine_names, open_engine
from translate.engines.openvino import name_of
from translate.errors import UsageError
from translate.images.codec import decode
from translate.images.resize import resize
from translate.images.tensors import to_tensor
from translate.models.threads import on_all_cores
from translate.shipped import shipped_folder

NETWORKS = {
    "resnet_9blocks": {"architecture": "resnet", "width": 64, "blocks": 9},
    "unet_256": {"architecture": "unet", "width": 64, "levels": 8},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--px", type=int, default=256)
    asked = parser.parse_args()
    print(machine(), flush=True)
    files = sorted(shipped_folder("samples").glob("photos/*.jpg"), key=Path.as_posix)
    pictures = [resize(decode(path.read_bytes()).pixels, asked.px, asked.px, how="auto") for path in files]
    for network, options in NETWORKS.items():
        # All on one thread: with two teams of threads each of torch's layers would wait for sleepers.
        on_all_cores(partial(compare, network, options, pictures, asked.rounds))


def compare(network, options, pictures, rounds):
    it = translator(options)
    x = to_tensor(pictures[0])[None]
    size = " x ".join(str(side) for side in x.shape[2:])
    for name in engine_names():
        calibrated = apart(calibrated_weights, options, pictures) if name.endswith("int8") else None
        try:
            engine = open_engine(name_of(calibrated) if calibrated else name, it, calibrated)
        except UsageError as error:
            if device_of(name) == "cpu":
                print(f"{network}: no {name}: {error}")
            continue
        print(f"{network}: {name} agrees to {agreement_db(engine, it, pictures):.1f} dB", flush=True)
        ms, eager_ms = in_turn([engine.translate, it], x, rounds)
        row(f"{network}, width 64, {size}, {name}",
            f"{eager_ms / ms:.1f} x eager float32 ({ms:.1f} against {eager_ms:.1f} ms an image)")


def calibrated_weights(options, pictures):
    return calibrate(translator(options), pictures)


def apart(run, *arguments):
    """What a function returns in a new process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(run, *arguments).result()


def in_turn(runs, x, rounds):
    """The median milliseconds of each, in turns; the first turn warms up."""
    times = [[] for _ in runs]
    for _ in range(rounds + 1):
        for each, run in zip(times, runs, strict=True):
            start = time.perf_counter()
            with torch.inference_mode():
                run(x)
            each.append((time.perf_counter() - start) * 1000)
    return [median(each[1:]) for each in times]


if __name__ == "__main__":
    main()
