"""Images per second of the training loop in float32 and in the precision that it chooses, turn by turn in one run.

    python tests/benchmarks/train_speed.py --width 32 --crop 128 --images 24
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from training_set import picture, png

from translate.config import Training, validate
from translate.stores import open_store
from translate.training.loop import train
from translate.training.networks import device_of, precision_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objective", default="cyclegan")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--images", type=int, default=24, help="of each measurement; the first batch is not counted")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    data = open_store("memory://train-speed/data/")
    for i in range(8):
        for side in "AB":
            data.put(f"train{side}/{i}.png", png(picture(i + 100 * (side == "B"), options.crop + 16)))
    rates: dict[str, list[float]] = {"float32": [], precision_of("auto", device_of("cpu")): []}
    for number in range(options.rounds):
        for precision, found in rates.items():
            found.append(images_per_second(options, data, precision, number))
            print(f"round {number + 1}, {precision}: {found[-1]:.2f} images/s", flush=True)
    for precision, found in rates.items():
        faster = median(found) / median(rates["float32"])
        print(f"{precision}: {median(found):.2f} images/s, {faster:.2f} times float32 (median of {len(found)})")


def images_per_second(options: argparse.Namespace, data: object, precision: str, number: int) -> float:
    values = {
        "objective": {"name": options.objective}, "images": options.batch + options.images, "batch": options.batch,
        "generator": {"architecture": "resnet", "width": options.width, "blocks": options.blocks},
        "discriminator": {"architecture": "patchgan", "width": options.width},
        "data": {"kind": "unpaired" if options.objective != "pix2pix" else "paired",
                 "short_side_px": [options.crop, options.crop + 16], "crop_px": options.crop},
        "precision": precision, "checkpoint_every_images": 10**6, "sample_every_images": 10**6,
    }
    if options.objective == "pix2pix":
        values["data"]["short_side_px"] = [options.crop + 16] * 2
    times: list[float] = []
    train(validate(Training, values, "benchmark"), data,
          open_store(f"memory://train-speed/{precision}/{number}/"), device="cpu",
          on_progress=lambda _: times.append(time.perf_counter()))
    return options.images / (times[-1] - times[0])


if __name__ == "__main__":
    main()
