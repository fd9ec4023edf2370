"""How photographic paintings become: KID to photographs by crops, sharpness, edges kept, for several models.

Protocol. Pictures are resized to a short side of 416 px (Lanczos) and the translator runs at that size in float32, or
at the size that the model says, from where results return. Squares of 208 px are cut every 104 px, from the paintings
and from what was made of them; from the photographs, at the same short side, every 208 px. KID is over the judge's
features of all squares at once (`translate.metrics.kid`); the spread is over halves. The Laplacian is the mean
absolute value of the four-neighbour kernel on 8-bit grey at 416 px; edge agreement is `translate.metrics.content`'s.

    nice python tests/benchmarks/photographic.py --paintings paintings/ --photos photos/ monet2photo@2 monet2photo@3

`teacher` among the models is Real-ESRGAN x4plus itself, of a quarter of the painting's size.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.redrawn import open_redrawer
from translate.images.resize import resize, short_side
from translate.images.tensors import to_pixels, to_tensor
from translate.metrics.content import edge_agreement
from translate.metrics.kid import kid_floor, kid_with_spread
from translate.models.features import open_features
from translate.registry import open_model
from translate.stores import open_input

SHORT_PX, CROP_PX = 416, 208


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--paintings", required=True, metavar="URL")
    parser.add_argument("--photos", required=True, metavar="URL")
    parser.add_argument("--registry", metavar="URL")
    parser.add_argument("--sheet", type=Path, help="PNG: a row for each painting, a column for each of the models")
    options = parser.parse_args()
    torch.set_num_threads(1)
    judge = open_features("efficientnet-lite0")
    paintings, photos = pictures(options.paintings), pictures(options.photos)
    real = looked_at(judge, photos, CROP_PX)
    floor = kid_floor(real)
    print(f"{len(paintings)} paintings, {len(photos)} photographs, {len(real)} squares; floor {floor.value:.3f}; "
          f"Laplacian of the photographs {np.mean([laplacian(each) for each in photos]):.1f}")
    print("| | KID to photographs | Laplacian | edge agreement |\n|---|---|---|---|")
    columns = {"the painting": paintings}
    for name in options.models:
        translator = open_redrawer() if name == "teacher" else open_model(name, options.registry)
        columns[name] = [translated(translator, each) for each in paintings]
    for name, made in columns.items():
        score = kid_with_spread(looked_at(judge, made, CROP_PX // 2), real)
        kept = [float(edge_agreement(unit(a), unit(b))) for a, b in zip(paintings, made, strict=True)]
        print(f"| {name} | {score.value:.3f} ± {score.spread:.3f} | {np.mean([laplacian(each) for each in made]):.1f} "
              f"| {np.mean(kept):.2f} |", flush=True)
    if options.sheet:
        rows = [np.concatenate(row, axis=1) for row in zip(*columns.values(), strict=True)]
        widest = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
        cv2.imwrite(str(options.sheet), np.concatenate(rows)[:, :, ::-1])


def pictures(url):
    store = open_input(url)
    return [sized(read_pixels(store, key), SHORT_PX) for key in image_keys(store, "").values()]


def sized(pixels, short_px):
    return resize(pixels, *short_side(*pixels.shape[:2], short_px), how="lanczos")


def translated(translator, pixels):
    size = translator.facts.size
    at = sized(pixels, size) if isinstance(size, int) else pixels
    return resize(to_pixels(translator(to_tensor(at)[None])[0]), *pixels.shape[:2], how="lanczos")


@torch.no_grad()
def looked_at(judge, pictures, step):
    found = []
    for pixels in pictures:
        squares = to_tensor(pixels).unfold(1, CROP_PX, step).unfold(2, CROP_PX, step)
        squares = squares.permute(1, 2, 0, 3, 4).reshape(-1, 3, CROP_PX, CROP_PX)
        small = F.interpolate(squares, (judge.side_px,) * 2, mode="bicubic", antialias=True, align_corners=False)
        found.append(judge(small.clamp(-1, 1)).pooled)
    return torch.cat(found)


def laplacian(pixels):
    return float(np.abs(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_32F)).mean())


def unit(pixels):
    return (to_tensor(pixels)[None] + 1) / 2


if __name__ == "__main__":
    sys.exit(main())
