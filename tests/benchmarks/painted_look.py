"""What paintings of photographs keep of them, and how they look beside canvases; the figures of photo2monet's card.

    translate run --pipeline photo2monet --input photos/ --output out/
    python -m tests.benchmarks.painted_look --photos photos/ --outputs out/ --canvases CANVASES/ --unseen UNSEEN/

All pictures are reduced to a short side of 360 pixels, if they are larger. Brightness is the mean luma (BT.601) of a
picture, chroma the mean distance from grey in CIE Lab. KID (EfficientNet-Lite0, which sees 128 px) is between squares
of 256 px: both ends and the middle of a picture, and of the canvases. The repeat of a pattern is the highest
autocorrelation of luma at 6 to 24 pixels' distance, the mean over windows of 64 px that are even but for their strokes.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from translate.datasets.folder import image_keys, read_pixels
from translate.images.resize import resize, short_side
from translate.images.tensors import LUMA, to_tensor
from translate.metrics import appearance
from translate.metrics.kid import kid_floor, kid_with_spread
from translate.models.features import FeatureNetwork, open_features
from translate.stores import open_input

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SHORT_SIDE_PX, SQUARE_PX, WINDOW_PX = 360, 256, 64
EVEN = 5.0
"""Standard deviation, in grey levels, of a blurred window that counts as even."""


def read(folder: str) -> dict[str, NDArray[np.uint8]]:
    """Pictures of a folder by name, reduced."""
    store = open_input(folder)
    found = {}
    for name, key in image_keys(store, "").items():
        pixels = read_pixels(store, key)
        height, width = pixels.shape[:2]
        if min(height, width) > SHORT_SIDE_PX:
            pixels = resize(pixels, *short_side(height, width, SHORT_SIDE_PX), how="lanczos")
        found[name] = pixels
    return found


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 RGB -> (H, W), 0 to 255."""
    return np.asarray(pixels @ np.array(LUMA, dtype=np.float32), dtype=np.float32)


def chroma(pixels: NDArray[np.uint8]) -> float:
    """Mean chroma in CIE Lab of (H, W, 3) uint8 RGB."""
    return float(appearance.chroma((to_tensor(pixels)[None] + 1) / 2))


def repeat(pixels: NDArray[np.uint8]) -> list[float]:
    """The highest autocorrelation of each even window."""
    grey, found = luma(pixels), []
    broad = cv2.GaussianBlur(grey, (0, 0), 8)
    taper = np.outer(np.hanning(WINDOW_PX), np.hanning(WINDOW_PX))
    rows, columns = np.mgrid[:WINDOW_PX, :WINDOW_PX] - WINDOW_PX // 2
    distance = np.hypot(rows, columns)
    for top in range(0, grey.shape[0] - WINDOW_PX + 1, WINDOW_PX):
        for left in range(0, grey.shape[1] - WINDOW_PX + 1, WINDOW_PX):
            place = slice(top, top + WINDOW_PX), slice(left, left + WINDOW_PX)
            if broad[place].std() < EVEN and (grey - broad)[place].std() > 1:
                power = np.abs(np.fft.fft2((grey - broad)[place] * taper, (2 * WINDOW_PX,) * 2)) ** 2
                same = np.fft.fftshift(np.fft.ifft2(power).real)[WINDOW_PX // 2 : -WINDOW_PX // 2,
                                                               WINDOW_PX // 2 : -WINDOW_PX // 2]
                found.append(float((same / same.max())[(distance >= 6) & (distance <= 24)].max()))
    return found


def squares(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Both ends and the middle along the longer side; the middle alone of what is nearly square."""
    wide = pixels if pixels.shape[1] >= pixels.shape[0] else pixels.transpose(1, 0, 2)
    top, room = (wide.shape[0] - SQUARE_PX) // 2, wide.shape[1] - SQUARE_PX
    for left in (0, room // 2, room) if room > SQUARE_PX / 2 else (room // 2,):
        square = wide[top : top + SQUARE_PX, left : left + SQUARE_PX]
        yield square if wide is pixels else square.transpose(1, 0, 2)


@torch.no_grad()
def look(judge: FeatureNetwork, pictures: dict[str, NDArray[np.uint8]]) -> torch.Tensor:
    """(N, D), the judge's features of all squares."""
    found = []
    for pixels in pictures.values():
        for square in squares(pixels):
            seen = F.interpolate(to_tensor(np.ascontiguousarray(square))[None], (judge.side_px,) * 2, mode="bicubic",
                                 align_corners=False, antialias=True)
            found.append(judge(seen.clamp(-1, 1)).pooled[0])
    return torch.stack(found)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", required=True)
    parser.add_argument("--outputs", required=True)
    parser.add_argument("--canvases", help="that the model or its teacher knew")
    parser.add_argument("--unseen", help="canvases that it did not")
    asked = parser.parse_args()
    photos, outputs = read(asked.photos), read(asked.outputs)
    names = sorted(photos)
    before, after = (np.array([luma(each[name]).mean() for name in names]) for each in (photos, outputs))
    colours = [np.array([chroma(each[name]) for name in names]) for each in (photos, outputs)]
    print(f"{len(names)} photographs")
    print(f"brightness: correlation {np.corrcoef(before, after)[0, 1]:.3f}, mean difference "
          f"{np.abs(before - after).mean():.1f} levels, the largest {np.abs(before - after).max():.1f}")
    kept = colours[1].mean() / colours[0].mean()
    print(f"Lab chroma: {colours[0].mean():.1f} -> {colours[1].mean():.1f}, {kept:.0%}; the least share "
          f"{(colours[1] / colours[0].clip(1)).min():.0%}")
    folders = {"canvases": asked.canvases, "unseen canvases": asked.unseen}
    canvases = {title: read(folder) for title, folder in folders.items() if folder}
    for title, pictures in {"photographs": photos, "outputs": outputs, **canvases}.items():
        found = [value for pixels in pictures.values() for value in repeat(pixels)]
        print(f"repeat in even windows, {title}: {np.mean(found):.3f} ({len(found)} windows)")
    judge = open_features("efficientnet-lite0")
    seen = {title: look(judge, pictures) for title, pictures in {"photographs": photos, "outputs": outputs}.items()}
    for title, pictures in canvases.items():
        real = look(judge, pictures)
        floor = kid_floor(real)
        print(f"KID to {len(real)} squares of {title}: floor {floor.value:.3f}")
        for each, features in seen.items():
            found_kid = kid_with_spread(features, real)
            print(f"    {each}: {found_kid.value:.3f} +- {found_kid.spread:.3f}")


if __name__ == "__main__":
    main()
