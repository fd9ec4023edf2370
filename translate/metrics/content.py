"""What of the input is still there in the output. Images are (N, 3, H, W) float in [0, 1]; one value an image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.images.tensors import to_channels
from translate.metrics.contract import OfImages
from translate.metrics.paired import layer_distance


def edge_agreement(source: Tensor, output: Tensor) -> Tensor:
    """Correlation (Pearson) of the two images' edge strength over all positions, (N,).

    1: edges lie where they lay, however strong; 0: nowhere in particular. Edge strength is the length of the
    Sobel gradient of the luma. An image without any edge gives 0.
    """
    a, b = _edges(source).flatten(1), _edges(output).flatten(1)
    return F.cosine_similarity(a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True), dim=1, eps=1e-12)


def _edges(x: Tensor) -> Tensor:
    across = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], dtype=x.dtype, device=x.device)
    kernels = torch.stack([across, across.T]).unsqueeze(1)
    return F.conv2d(to_channels(x, 1), kernels).square().sum(dim=1).sqrt()


MEASURES = (
    OfImages(name="edge_agreement", title="edges kept", note="higher keeps more of the scene", better="higher",
             against="source", margin=0.03,
             value=lambda output, source: edge_agreement(source.unit, output.unit)),
    OfImages(name="distance_to_source", title="distance to the source", note="lower keeps more of the scene",
             better="lower", against="source", judge=True,
             value=lambda output, source: layer_distance(output.judged, source.judged)),
)
