"""Distances between an output and its known answer. Images are (N, 3, H, W) float in [0, 1]; one value an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.metrics.contract import OfImages

if TYPE_CHECKING:
    from translate.models.features import Features


def l1(output: Tensor, answer: Tensor) -> Tensor:
    """Mean absolute difference, (N,); 0 is equal, 1 black against white."""
    return (output - answer).abs().mean(dim=(1, 2, 3))


def psnr(output: Tensor, answer: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, (N,): ``-10 log10(mean squared difference)``; equal images give infinity."""
    return -10 * torch.log10((output - answer).square().mean(dim=(1, 2, 3)))


def ssim(output: Tensor, answer: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004), (N,), 1 is equal.

    As published: Gaussian window of 11 x 11 px with deviation 1.5, K1 0.01, K2 0.03, windows wholly inside the
    image; the mean over positions and colour channels. Sides must be at least 11 px.
    """
    channels = output.shape[1]
    window = _gaussian(11, 1.5, output).expand(channels, 1, 11, 11)

    def blur(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=channels)

    c1, c2 = 0.01**2, 0.03**2
    mean_a, mean_b = blur(output), blur(answer)
    variance_a = blur(output * output) - mean_a**2
    variance_b = blur(answer * answer) - mean_b**2
    covariance = blur(output * answer) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return similarity.mean(dim=(1, 2, 3))


def layer_distance(output: Features, answer: Features) -> Tensor:
    """Perceptual distance over the layers of a feature network, (N,), 0 is equal.

    Like LPIPS without learned weights (Zhang et al. 2018, arXiv:1801.03924): features scaled to unit length over
    the channels, squared difference summed over channels, averaged over positions, summed over the layers.
    """
    distances = [
        (F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)).square().sum(dim=1).mean(dim=(1, 2))
        for a, b in zip(output.layers, answer.layers, strict=True)
    ]
    return torch.stack(distances).sum(dim=0)


def _gaussian(side: int, deviation: float, like: Tensor) -> Tensor:
    offsets = torch.arange(side, dtype=like.dtype, device=like.device) - (side - 1) / 2
    line = torch.exp(-offsets.square() / (2 * deviation**2))
    line = line / line.sum()
    return torch.outer(line, line)


MEASURES = (
    OfImages(name="layer_distance", title="layer distance to the answers", note="lower is nearer to the answer",
             better="lower", against="answer", judge=True, margin=0.03, decisive=True,
             value=lambda output, answer: layer_distance(output.judged, answer.judged)),
    OfImages(name="l1", title="L1 to the answers", note="lower is nearer to the answer", better="lower",
             against="answer", margin=0.005, value=lambda output, answer: l1(output.unit, answer.unit)),
    OfImages(name="psnr_db", title="PSNR, dB", note="higher is nearer to the answer", better="higher",
             against="answer", value=lambda output, answer: psnr(output.unit, answer.unit)),
    OfImages(name="ssim", title="SSIM with the answers", note="higher is nearer to the answer", better="higher",
             against="answer", margin=0.02, value=lambda output, answer: ssim(output.unit, answer.unit)),
)
