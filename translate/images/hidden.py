"""Colours that nobody sees: what lies under full transparency must not decide what a picture becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BAND_PX = 4_000_000
"""Pixels that are filled at once; each takes 12 bytes meanwhile."""
_WHITE = 255


def fill_hidden(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Give each pixel of alpha 0 the colour of the nearest pixel that is seen, in place.

    ``pixels`` is (H, W, 3) uint8, ``alpha`` (H, W) uint8. The network and every resizing look at neighbours, so a
    colour left there by an editor would show at the rim, and through the network's statistics everywhere. A band of the
    picture in which nothing is seen takes the mean colour of what is seen elsewhere; a picture in which nothing is seen
    at all becomes white.
    """
    hidden = alpha == 0
    if not hidden.any():
        return
    mean = cv2.mean(pixels, mask=(~hidden).view(np.uint8))[:3] if not hidden.all() else (_WHITE,) * 3
    rows = max(1, _BAND_PX // alpha.shape[1])
    for top in range(0, alpha.shape[0], rows):
        band, gone = pixels[top : top + rows], hidden[top : top + rows]
        if gone.all():
            band[:] = np.rint(mean).astype(np.uint8)
        elif gone.any():
            _, nearest = cv2.distanceTransformWithLabels(
                gone.view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
            )
            colors = np.zeros((nearest.max() + 1, 3), np.uint8)
            colors[nearest[~gone]] = band[~gone]
            band[gone] = colors[nearest[gone]]
