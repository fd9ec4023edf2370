"""Traces that networks leave and pictures don't have, and signs of a training that goes wrong."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images.tensors import to_channels
from translate.metrics.contract import OfImages, OfSets

_PERIODS = (2, 4)
_BLOB_PX = 2.0
_BLOB_CONTRAST = 0.08
_BLOB_GAIN = 2.0
_NEARBY_PX = 9
_GIST_PX = 16


def checkerboard(x: Tensor) -> Tensor:
    """Power at the periods of a checkerboard against that beside them, in dB, (N,); about 0 in pictures.

    ``x`` is (N, 3, H, W) float in [0, 1].

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


def droplets(source: Tensor, output: Tensor) -> Tensor:
    """Percentage of pixels in small dark or bright blobs that the input doesn't have, (N,); 0 is none.

    Both are (N, 1 or 3, H, W) float in [0, 1], sides of at least 16 px. A pixel counts where the output's
    blobness, see `_blobness`, is above 0.08 and above twice the largest of the input within 4 px. So what the
    input has counts for nothing, nor do edges, strokes, noise, or changed brightness, contrast and colours.
    """
    nearby = F.max_pool2d(_blobness(source), _NEARBY_PX, stride=1, padding=_NEARBY_PX // 2)
    return 100 * (_blobness(output) > _BLOB_CONTRAST + _BLOB_GAIN * nearby).float().mean(dim=(1, 2, 3))


@torch.no_grad()
def luma_correlation(inputs: Tensor, outputs: Tensor) -> Tensor:
    """Correlation (Pearson) of the luma of input and output over all positions, (N,), in -1..1.

    Clearly below 0: the colours are inverted, as unpaired training may do. A flat image gives 0. Both are
    (N, 1 or 3, H, W) float of any range and precision.
    """
    a, b = (to_channels(x.float(), 1).flatten(1) for x in (inputs, outputs))
    return F.cosine_similarity(a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True), dim=1, eps=1e-12)


@torch.no_grad()
def variety(inputs: Tensor, outputs: Tensor) -> float:
    """How far outputs lie from each other, against how far their inputs do: about 1; near 0 is a collapse.

    The ratio of the root mean square distances between all pairs of images, each averaged to 16 x 16 px, so that
    noise is no variety. Both are (N, 1 or 3, H, W) float of one range, any precision, N at least 2; inputs that are
    all alike give nan.
    """
    assert len(inputs) == len(outputs) >= 2, f"{len(inputs)} inputs and {len(outputs)} outputs can't be compared"
    before, after = _deviation(inputs), _deviation(outputs)
    return after / before if before > 0 else float("nan")


@torch.no_grad()
def gist(x: Tensor) -> Tensor:
    """(N, 1 or 3, H, W) float -> (N, 3, 16, 16) float32: all that `variety` looks at."""
    return F.adaptive_avg_pool2d(to_channels(x.float(), 3), _GIST_PX)


def _deviation(x: Tensor) -> float:
    """Root mean square distance from the mean image, which is that between pairs but for a constant."""
    coarse = gist(x).double()
    return float((coarse - coarse.mean(dim=0)).square().sum().sqrt())


def _blobness(x: Tensor) -> Tensor:
    """How much each place looks like a blob of about 2 to 4 px radius, (N, 1, H, W): 0 where it doesn't.

    The smaller of the two curvatures of the blurred luma, where both have one sign; along an edge or a stroke one
    of them is 0 (Lindeberg 1998, "Feature Detection with Automatic Scale Selection", the Hessian normalised by the
    scale). A disc that fits, black on white, reaches 0.37.
    """
    reach = round(3 * _BLOB_PX)
    offsets = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    line = torch.exp(-offsets.square() / (2 * _BLOB_PX**2))
    line = line / line.sum()
    padded = F.pad(to_channels(x, 1), (reach + 1,) * 4, mode="reflect")
    luma = F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
    centre = luma[..., 1:-1, 1:-1]
    across = luma[..., 1:-1, 2:] + luma[..., 1:-1, :-2] - 2 * centre
    down = luma[..., 2:, 1:-1] + luma[..., :-2, 1:-1] - 2 * centre
    mixed = (luma[..., 2:, 2:] + luma[..., :-2, :-2] - luma[..., 2:, :-2] - luma[..., :-2, 2:]) / 4
    smaller = ((across + down) / 2).abs() - (((across - down) / 2).square() + mixed.square()).sqrt()
    return _BLOB_PX**2 * smaller.clamp(min=0)


def _excess(power: Tensor, period_px: int) -> Tensor:
    """How far a frequency stands above its neighbours, in dB; the window blurs a line over three bins."""
    at = power.shape[-1] // period_px
    line = power[..., [at - 1, at, at + 1]].mean(dim=-1)
    beside = power[..., [at - 4, at - 3, at + 3, at + 4]].mean(dim=-1)
    return 10 * torch.log10((line + 1e-12) / (beside + 1e-12))


MEASURES = (
    OfImages(name="checkerboard_db", title="checkerboard, dB", note="0 and less is as in pictures", better="lower",
             against="itself", margin=1.0, good_enough=0.0, value=lambda output, _: checkerboard(output.unit)),
    OfImages(name="droplets_percent", title="droplets, %", note="near 0 as in pictures", better="lower",
             against="source", margin=0.2, value=lambda output, source: droplets(source.unit, output.unit)),
    OfImages(name="luma_correlation", title="light and dark kept", note="below 0: light has become dark",
             better="higher", against="source", margin=0.05,
             value=lambda output, source: luma_correlation(source.image, output.image)),
    OfSets(name="variety", title="variety", note="near 0: all outputs are alike", better="near 1", against="source",
           row=lambda image: gist(image.image), value=lambda outputs, inputs: variety(inputs, outputs)),
)
