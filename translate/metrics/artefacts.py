"""Traces that networks leave and pictures don't have. Images are (N, 3, H, W) float in [0, 1], one value each."""

from __future__ import annotations

import torch
from torch import Tensor

from translate.images.tensors import to_channels

_PERIODS = (2, 4)


def checkerboard(x: Tensor) -> Tensor:
    """Power at the periods of a checkerboard against that beside them, in dB, (N,); about 0 in pictures.

    Transposed convolutions leave a pattern of 2 px, or of 4 px where two follow each other (Odena et al. 2016,
    "Deconvolution and Checkerboard Artifacts"). In the power spectrum of the luma it stands out as lines at those
    frequencies. The image is cut to sides that are multiples of 4, at least 32 px.
    """
    height, width = (side // 4 * 4 for side in x.shape[-2:])
    assert min(height, width) >= 32, f"sides of {height} x {width} px are too short"
    luma = to_channels(x, 1)[..., 0, :height, :width].double()
    luma = luma - luma.mean(dim=(-2, -1), keepdim=True)
    window = torch.outer(torch.hann_window(height), torch.hann_window(width)).to(luma)
    power = torch.fft.fft2(luma * window).abs().square()
    rows, columns = power.sum(dim=-1), power.sum(dim=-2)
    return torch.stack([_excess(line, period) for line in (rows, columns) for period in _PERIODS]).amax(dim=0).float()


def _excess(power: Tensor, period_px: int) -> Tensor:
    """How far a frequency stands above its neighbours, in dB; the window blurs a line over three bins."""
    at = power.shape[-1] // period_px
    line = power[..., [at - 1, at, at + 1]].mean(dim=-1)
    beside = power[..., [at - 4, at - 3, at + 3, at + 4]].mean(dim=-1)
    return 10 * torch.log10((line + 1e-12) / (beside + 1e-12))
