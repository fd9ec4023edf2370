"""How sharp, how bright and how colourful outputs are, against their inputs and the images of the target domain.

Images are (N, 3, H, W) float in [0, 1]; one value an image. A blur, one brightness for every picture and faded colours
hardly show in a feature network; here they do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images.tensors import to_channels
from translate.metrics.contract import OfImages, OfSets, Seen

_TO_XYZ = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""
_WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of the white of sRGB, D65."""


def sharpness(x: Tensor) -> Tensor:
    """Mean absolute Laplacian of the luma, in levels of 255, (N,): 0 is flat; it depends on the size in pixels.

    The Laplacian is that of four neighbours: above, below, left and right, minus four times the middle. Border pixels
    have no four neighbours and are left out.
    """
    luma = 255 * to_channels(x, 1)
    middle = luma[..., 1:-1, 1:-1]
    around = luma[..., :-2, 1:-1] + luma[..., 2:, 1:-1] + luma[..., 1:-1, :-2] + luma[..., 1:-1, 2:]
    return (around - 4 * middle).abs().mean(dim=(1, 2, 3))


def brightness(x: Tensor) -> Tensor:
    """Mean luma, in levels of 255, (N,)."""
    return 255 * to_channels(x, 1).mean(dim=(1, 2, 3))


def chroma(x: Tensor) -> Tensor:
    """Mean chroma in CIE L*a*b* (D65), (N,): 0 is grey, pure red is 105; values beyond [0, 1] are clamped."""
    encoded = x.clamp(0, 1)
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_xyz = torch.tensor(_TO_XYZ, dtype=x.dtype, device=x.device)
    white = torch.tensor(_WHITE, dtype=x.dtype, device=x.device).view(3, 1, 1)
    ratio = torch.einsum("ij,njhw->nihw", to_xyz, linear) / white
    small = 6 / 29
    curve = torch.where(ratio > small**3, ratio.clamp(min=small**3) ** (1 / 3), ratio / (3 * small**2) + 4 / 29)
    a = 500 * (curve[:, 0] - curve[:, 1])
    b = 200 * (curve[:, 1] - curve[:, 2])
    return torch.hypot(a, b).mean(dim=(1, 2))


def ratio_of_means(outputs: Tensor, others: Tensor) -> float:
    """Mean of (N,) over that of (M,). A mean below 1, which nobody sees, counts as 1: so grey is as grey as grey."""
    return float(outputs.double().mean().clamp(min=1) / others.double().mean().clamp(min=1))


def correlation(outputs: Tensor, inputs: Tensor) -> float:
    """Correlation (Pearson) of two (N,); 0 where one of them is constant."""
    a, b = (values.double() - values.double().mean() for values in (outputs, inputs))
    return float(F.cosine_similarity(a, b, dim=0, eps=1e-12))


def _sharpness(image: Seen) -> Tensor:
    return sharpness(image.unit)


def _chroma(image: Seen) -> Tensor:
    return chroma(image.unit)


MEASURES = (
    OfSets(name="sharpness_ratio", title="sharpness against the target's", note="below 1 is blurred, above 1 is noisy",
           better="near 1", against="target", margin=0.1, row=_sharpness, value=ratio_of_means),
    OfSets(name="chroma_ratio", title="colourfulness against the target's", note="below 1 is faded, above 1 is gaudy",
           better="near 1", against="target", margin=0.1, row=_chroma, value=ratio_of_means),
    # Without a margin: a network that gives drawings their colours is not worse for it.
    OfSets(name="chroma_kept", title="colourfulness against the input's", note="below 1 is faded, above 1 is gaudier",
           better="near 1", against="source", row=_chroma, value=ratio_of_means),
    # Without a margin, as it is noise where the inputs are about equally bright.
    OfSets(name="brightness_correlation", title="brightness follows the input's",
           note="near 0: every picture is about as bright, whatever went in", better="higher", against="source",
           row=lambda image: brightness(image.unit), value=correlation),
    OfImages(name="brightness_change_levels", title="change of brightness, levels", note="of 255, darker or brighter",
             better="lower", against="source", margin=5.0,
             value=lambda output, source: (brightness(output.unit) - brightness(source.unit)).abs()),
)
