"""Every game, adversarial term and regulariser, 200 steps at 32 px on crops of the shipped photographs.

What is to be learned is seen at a glance: the colours change places (red to green to blue to red). Prints each game's
losses at the start and at the end, and how far its translations of held-out crops are from the truth; writes a sheet.

    nice python tests/benchmarks/games.py --sheet build/games.png
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
import torch
from PIL import Image, ImageDraw
from small_games import GAMES
from training_set import png

from translate.config import Training, validate
from translate.images import tensors
from translate.shipped import shipped_folder
from translate.stores import open_store
from translate.training import loop

CROP_PX = 32
BATCH = 4
CROPS = 16
"""Of each photograph; the last two are held out."""
HELD_OUT = 2
SCALE = 3
LABEL_PX = 210


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--sheet", type=Path, default=Path("games.png"))
    parser.add_argument("--only", nargs="*", default=list(GAMES), metavar="GAME")
    options = parser.parse_args()
    torch.set_num_threads(1)
    loop.STATUS_SECONDS = 0.0  # a line for each step
    data = open_store("memory://games/data/")
    held_out = fill(data)
    truths = [turned(image) for image in held_out]
    rows = [("input", held_out), ("truth", truths)]
    untouched = distance(held_out, truths)
    print(f"| game | losses, first to last tenth of {options.steps} steps | L1 to the truth | s |\n|---|---|---|---|")
    print(f"| the input itself | | {untouched:.3f} | |", flush=True)
    for name in options.only:
        started_s = time.perf_counter()
        losses, network = learn(name, data, options.steps, options.width)
        made = [translated(network, image) for image in held_out]
        rows.append((name, made))
        seconds = time.perf_counter() - started_s
        print(f"| `{name}` | {losses} | {distance(made, truths):.3f} | {seconds:.0f} |", flush=True)
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet(rows).save(options.sheet)
    print(f"{options.sheet}")


def fill(data: object) -> list[np.ndarray]:
    """Put crops as ``trainA`` and the same with their colours turned as ``trainB``; returns those held out."""
    random, held_out, count = np.random.default_rng(0), [], 0
    for path in sorted((shipped_folder("samples") / "photos").glob("*.jpg")):
        photo = Image.open(path).convert("RGB")
        for number in range(CROPS):
            side = int(random.integers(min(photo.size) // 3, min(photo.size)))
            left, top = (int(random.integers(0, length - side + 1)) for length in photo.size)
            crop = np.array(photo.crop((left, top, left + side, top + side)).resize((48, 48), Image.Resampling.LANCZOS))
            if number >= CROPS - HELD_OUT:
                held_out.append(crop[:CROP_PX, :CROP_PX])
                continue
            data.put(f"trainA/{count}.png", png(crop))
            data.put(f"trainB/{count}.png", png(turned(crop)))
            count += 1
    return held_out


def turned(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB with its channels one further."""
    return np.ascontiguousarray(image[:, :, [2, 0, 1]])


def learn(name: str, data: object, steps: int, width: int) -> tuple[str, torch.nn.Module]:
    """Train a game; returns its losses in words, and the generator from a to b."""
    objective, discriminator = GAMES[name]
    output = open_store(f"memory://games/{name}/")
    training = validate(Training, {
        "objective": objective, "discriminator": discriminator | {"width": width},
        "generator": {"architecture": "resnet", "width": width, "blocks": 2, "sampling": "antialiased"},
        "data": {"kind": "paired" if name.startswith("pix2pix") else "unpaired", "short_side_px": [CROP_PX, 48],
                 "crop_px": CROP_PX},
        "images": steps * BATCH, "batch": BATCH, "learning_rate": 1e-3, "ema_half_life_images": 80,
        "checkpoint_every_images": 10**9, "sample_every_images": 10**9,
    }, name)
    trained = loop.train(training, data, output, device="cpu")
    seen = [json.loads(line) for line in output.get("status.jsonl").data.splitlines()]
    terms = [term for term in seen[-1] if term not in ("images", "seconds", "rate", "images_per_s")]
    part = max(1, len(seen) // 10)
    words = []
    for term in terms:
        values = [line[term] for line in seen if term in line]
        if not all(map(math.isfinite, values)):
            raise SystemExit(f"{name}: {term} is not finite: {values}")
        words.append(f"{term} {mean(values[:part]):.3g} to {mean(values[-part:]):.3g}")
    return "; ".join(words), trained.generators["G_ab"]


def translated(network: torch.nn.Module, image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB through a generator, to the same."""
    network.eval()
    with torch.inference_mode():
        return tensors.to_pixels(network(tensors.to_tensor(image)[None])[0].clamp(-1, 1))


def distance(images: list[np.ndarray], truths: list[np.ndarray]) -> float:
    """Mean absolute difference, of values in [0, 1]."""
    return mean(float(np.abs(a.astype(float) - b).mean() / 255) for a, b in zip(images, truths, strict=True))


def sheet(rows: list[tuple[str, list[np.ndarray]]]) -> Image.Image:
    """A row for each game, its name before its pictures."""
    side = CROP_PX * SCALE
    page = Image.new("RGB", (LABEL_PX + len(rows[0][1]) * (side + 4), len(rows) * (side + 4)), "white")
    draw = ImageDraw.Draw(page)
    for number, (name, images) in enumerate(rows):
        draw.text((4, number * (side + 4) + side // 2), name, fill="black")
        for column, image in enumerate(images):
            large = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
            page.paste(large, (LABEL_PX + column * (side + 4), number * (side + 4)))
    return page


if __name__ == "__main__":
    main()
