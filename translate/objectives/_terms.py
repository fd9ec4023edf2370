"""Formulas of the games, each as its paper gives it; pure, unreduced, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

Adversarial = Literal["vanilla", "least_squares", "hinge", "wgan_gp"]
Critic = Callable[[Tensor], list[Tensor]]
"""A discriminator: images to score maps."""


def adversarial_generator(scores: list[Tensor], kind: Adversarial) -> Tensor:
    """What a generator minimises so that its images score as real: (N,), the mean over positions and scales.

    vanilla: BCE against 1, the non-saturating loss of Goodfellow et al. 2014 (arXiv:1406.2661), section 3;
    least_squares: (D - 1)^2, Mao et al. 2017 (arXiv:1611.04076), eq. 9 without the factor 1/2;
    hinge: -D, Lim and Ye 2017 (arXiv:1705.02894);
    wgan_gp: -D, Gulrajani et al. 2017 (arXiv:1704.00028), algorithm 1, whose discriminator also needs
    `gradient_penalty`.
    """
    return _mean([_real(score.float(), kind, generator=True) for score in scores])


def adversarial_discriminator(real: list[Tensor], fake: list[Tensor], kind: Adversarial) -> Tensor:
    """What a discriminator minimises: (N,), half the sum of its errors on real and on made images.

    The half slows the discriminator as in pix2pix (arXiv:1611.07004, section 3.3).
    """
    on_real = _mean([_real(score.float(), kind, generator=False) for score in real])
    on_fake = _mean([_fake(score.float(), kind) for score in fake])
    return 0.5 * (on_real + on_fake)


def _real(score: Tensor, kind: Adversarial, *, generator: bool) -> Tensor:
    if kind == "vanilla":
        return F.softplus(-score)
    if kind == "least_squares":
        return (score - 1) ** 2
    return -score if generator or kind == "wgan_gp" else F.relu(1 - score)


def _fake(score: Tensor, kind: Adversarial) -> Tensor:
    if kind == "vanilla":
        return F.softplus(score)
    if kind == "least_squares":
        return score**2
    return score if kind == "wgan_gp" else F.relu(1 + score)


def _mean(maps: list[Tensor]) -> Tensor:
    return torch.stack([scores.flatten(1).mean(1) for scores in maps]).mean(0)


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
    """(||grad D||_2 - 1)^2 at points drawn between real and made images: (N,).

    Gulrajani et al. 2017 (arXiv:1704.00028), eq. 3; the paper's weight is 10. D of an image is the mean of its
    scores, as in the losses. Draws from torch's global generator. Not with batch norm: a score must depend on one
    image alone (section 4).
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = real.float() + share * (fake.float() - real.float())
    steepness: Tensor = torch.linalg.vector_norm(_slope(critic, between), dim=1)
    return (steepness - 1) ** 2


def r1(critic: Critic, real: Tensor) -> Tensor:
    """||grad D||^2 / 2 at real images, the zero-centred gradient penalty: (N,).

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 9 without gamma; the paper's gamma is 10.
    """
    return 0.5 * _slope(critic, real).square().sum(1)


def _slope(critic: Critic, images: Tensor) -> Tensor:
    """Gradient of each image's mean score in its pixels, (N, C * H * W), that can be differentiated again.

    In float32 also under autocast: the gradient of a gradient is small differences of products.
    """
    with torch.autocast(images.device.type, enabled=False):
        images = images.detach().float().requires_grad_()
        scores = _mean(critic(images))
        (slope,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    return slope.flatten(1)


def feature_matching(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """How far a discriminator's features of made and of real images are apart: (N,).

    Wang et al. 2018 (pix2pixHD, arXiv:1711.11585), eq. 3: L1 means of each layer, summed over the layers; the mean
    over scales, as the scores. Both by scale and layer, (N, C, h, w) each; the real ones are targets only.
    """
    scales = [_sum([l1(x, y.detach()) for x, y in zip(made, true, strict=True)])
              for made, true in zip(fake, real, strict=True)]
    return torch.stack(scales).mean(0)


def perceptual(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """Feature reconstruction of Johnson et al. 2016 (arXiv:1603.08155), eq. 2, summed over layers: (N,).

    Mean squared difference of each layer's features, (N, C, h, w); ``true`` is a target only.
    """
    return _sum([(x.float() - y.detach().float()).square().flatten(1).mean(1)
                 for x, y in zip(made, true, strict=True)])


def texture(made: Sequence[Tensor], true: Sequence[Tensor], windows: int = 4) -> Tensor:
    """How differently features occur together, wherever they stand in a window: (N,), the mean over layers.

    Gram matrices of Gatys et al. 2015 (arXiv:1505.07376), eq. 1, taken in ``windows`` x ``windows`` parts of each layer
    (N, C, h, w), as in Sajjadi et al. 2017 (arXiv:1612.07919), section 4.2.3. Each difference is taken relative to the
    target's own matrix, so that layers and dark places count alike: 0 for equal textures, about 1 for no texture.
    ``true`` is a target only.
    """
    distances = []
    for x, y in zip(made, true, strict=True):
        ours, theirs = _gram(x.float(), windows), _gram(y.detach().float(), windows)
        size = torch.linalg.matrix_norm(theirs) + 1e-6
        distances.append((torch.linalg.matrix_norm(ours - theirs) / size).mean(1))
    return torch.stack(distances).mean(0)


def _gram(x: Tensor, windows: int) -> Tensor:
    """(N, C, h, w) -> (N, windows^2, C, C); rows and columns that fill no window are left out.

    Fewer windows where a side has not so many pixels.
    """
    count, channels, height, width = x.shape
    windows = min(windows, height, width)
    h, w = height // windows, width // windows
    x = x[:, :, : h * windows, : w * windows].reshape(count, channels, windows, h, windows, w)
    x = x.permute(0, 2, 4, 1, 3, 5).reshape(count, windows * windows, channels, h * w)
    return x @ x.transpose(2, 3) / (h * w)


def patch_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """Which of the image's own places does each query come from? (N, P, D) unit vectors twice -> (N,).

    Park et al. 2020 (arXiv:2007.15651), eq. 3 and 4: cross-entropy over similarities, the key at the same place being
    right and the image's other places wrong; the mean over places. The keys are targets only.
    """
    with torch.autocast(queries.device.type, enabled=False):
        similar = queries.float() @ keys.detach().float().transpose(1, 2) / temperature
        right = torch.arange(similar.shape[1], device=similar.device).expand(similar.shape[:2])
        return F.cross_entropy(similar.transpose(1, 2), right, reduction="none").mean(1)


def _sum(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum(0)


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of each image: (N, C, H, W) twice -> (N,)."""
    return (x.float() - y.float()).abs().flatten(1).mean(1)


def laplacian_l1(x: Tensor, y: Tensor, levels: int = 4) -> Tensor:
    """L1 of each band of a Laplacian pyramid, summed, so that fine strokes count as much as broad tones: (N,).

    After Bojanowski et al. 2018 (arXiv:1707.05776), section 2.3, with a box filter: level by level the difference of
    the images is halved, and what halving lost is that level's band; the last band is the rest. (N, C, H, W) twice;
    fewer levels where a side cannot be halved so often.
    """
    rest, bands = x.float() - y.float(), []
    for _ in range(levels):
        if rest.shape[-2] % 2 or rest.shape[-1] % 2:
            break
        half = F.avg_pool2d(rest, 2)
        bands.append(rest - F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False))
        rest = half
    return torch.stack([band.abs().flatten(1).mean(1) for band in [*bands, rest]]).sum(0)
