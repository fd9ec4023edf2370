"""The formulas against values worked by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from translate.models.patchgan import Config as PatchConfig
from translate.models.patchgan import Network as Patches
from translate.objectives import _terms

SCORES = [torch.tensor([[[[0.0, 2.0]]], [[[1.0, 1.0]]]])]  # two images, one map of 1 x 2


def test_least_squares():
    # generator: ((0-1)^2 + (2-1)^2) / 2 = 1; second image: 0
    assert _terms.adversarial_generator(SCORES, "least_squares").tolist() == [1.0, 0.0]
    # discriminator, made images scored the same: 0.5 * (1 + (0 + 4) / 2) = 1.5; second: 0.5 * (0 + 1) = 0.5
    assert _terms.adversarial_discriminator(SCORES, SCORES, "least_squares").tolist() == [1.5, 0.5]


def test_vanilla_is_binary_cross_entropy():
    # -log sigmoid(0) = ln 2; -log sigmoid(2) = ln(1 + e^-2)
    expected = (math.log(2) + math.log1p(math.exp(-2))) / 2
    assert _terms.adversarial_generator(SCORES, "vanilla")[0].item() == pytest.approx(expected)
    on_fake = (math.log(2) + math.log1p(math.exp(2))) / 2
    half_sum = 0.5 * (expected + on_fake)
    assert _terms.adversarial_discriminator(SCORES, SCORES, "vanilla")[0].item() == pytest.approx(half_sum)


def test_hinge():
    assert _terms.adversarial_generator(SCORES, "hinge").tolist() == [-1.0, -1.0]
    # real: (max(0, 1-0) + max(0, 1-2)) / 2 = 0.5; made: (1 + 3) / 2 = 2; half of the sum: 1.25
    assert _terms.adversarial_discriminator(SCORES, SCORES, "hinge").tolist() == [1.25, 1.0]


def test_scales_count_alike_whatever_their_size():
    large = torch.full((1, 1, 8, 8), 1.0)
    small = torch.full((1, 1, 2, 2), 3.0)
    assert _terms.adversarial_generator([large, small], "least_squares").tolist() == [2.0]


def test_l1_is_a_mean_for_each_image():
    x = torch.zeros(2, 3, 4, 4)
    y = torch.stack([torch.full((3, 4, 4), 0.5), torch.zeros(3, 4, 4)])
    assert _terms.l1(x, y).tolist() == [0.5, 0.0]


def test_wasserstein():
    assert _terms.adversarial_generator(SCORES, "wgan_gp").tolist() == [-1.0, -1.0]
    made = [torch.tensor([[[[3.0, 5.0]]], [[[0.0, 0.0]]]])]
    # half of (made - real): (4 - 1) / 2, (0 - 1) / 2
    assert _terms.adversarial_discriminator(SCORES, made, "wgan_gp").tolist() == [1.5, -0.5]


class Linear(nn.Module):
    """D(x) = w * the sum of x over 2 x 2 patches of one channel: a score for each of four patches of 4 x 4 pixels."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, x):
        return [self.weight * F.avg_pool2d(x, 2) * 4]


def test_penalties_of_a_linear_critic():
    # The mean of four patches has the gradient w / 4 at each of 16 pixels: its length is w, its square w^2.
    critic = Linear(3.0)
    real, fake = torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4)
    assert _terms.gradient_penalty(critic, real, fake).tolist() == pytest.approx([4.0, 4.0])  # (3 - 1)^2
    assert _terms.r1(critic, real).tolist() == pytest.approx([4.5, 4.5])  # 9 / 2


def test_penalties_teach_the_critic_its_slope():
    for penalty, slope in ((lambda c, x: _terms.gradient_penalty(c, x, -x), 4.0), (_terms.r1, 3.0)):
        critic = Linear(3.0)
        penalty(critic, torch.rand(2, 1, 4, 4)).mean().backward()
        assert critic.weight.grad.item() == pytest.approx(slope)  # 2 (w - 1); w


def test_the_penalty_lies_between_real_and_made():
    """A critic x^3 / 3 has the slope x^2: images of 1 and 2 give slopes between 1 and 4, each image its own."""

    def critic(x):
        seen.append(x.detach())
        return [x**3 / 3]

    seen = []
    found = _terms.gradient_penalty(critic, torch.ones(32, 1, 1, 1), torch.full((32, 1, 1, 1), 2.0))
    points = seen[0].flatten()
    assert 1 <= points.min() < 1.3 < 1.7 < points.max() <= 2
    assert found.tolist() == pytest.approx(((points**2 - 1) ** 2).tolist(), rel=1e-3, abs=1e-6)


def test_a_flat_critic_has_a_finite_penalty():
    critic = Linear(0.0)
    term = _terms.gradient_penalty(critic, torch.rand(2, 1, 4, 4), torch.rand(2, 1, 4, 4))
    term.mean().backward()
    assert term.tolist() == [1.0, 1.0]
    assert torch.isfinite(critic.weight.grad)


@pytest.mark.parametrize("spectral", [False, True])
def test_penalties_are_in_float32_under_autocast(spectral):
    """The same values and gradients with bfloat16 on as off: nothing in them is computed in bfloat16."""
    torch.manual_seed(0)
    critic = Patches(PatchConfig(width=4, layers=2, spectral=spectral)).eval()
    real, fake = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    found = []
    for enabled in (False, True):
        torch.manual_seed(1)
        critic.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            term = _terms.r1(critic, real) + _terms.gradient_penalty(critic, real, fake)
        term.mean().backward()
        assert term.dtype == torch.float32
        assert all(p.grad is not None for name, p in critic.named_parameters() if "weight" in name)
        found.append([term.detach(), *(p.grad.clone() for p in critic.parameters() if p.grad is not None)])
    for without, with_autocast in zip(*found, strict=True):
        assert torch.equal(without, with_autocast)


def test_feature_matching_sums_layers_and_averages_scales():
    def scale(*values):
        return [torch.full((2, 3, size, size), value) for size, value in zip((4, 2), values, strict=True)]

    made = [scale(1.0, 2.0), scale(0.5, 0.0)]
    true = [scale(0.0, 0.0), scale(0.0, 0.0)]
    # first scale 1 + 2, second 0.5: their mean
    assert _terms.feature_matching(made, true).tolist() == [1.75, 1.75]


def test_perceptual_sums_mean_squares():
    made = [torch.full((1, 2, 4, 4), 3.0), torch.full((1, 8, 1, 1), 1.0)]
    true = [torch.full((1, 2, 4, 4), 1.0), torch.full((1, 8, 1, 1), 0.5)]
    assert _terms.perceptual(made, true).tolist() == [4.25]


def test_texture_is_the_relative_difference_of_gram_matrices():
    # two channels, constant: every Gram matrix is [[9, 0], [0, 0]] against [[1, 0], [0, 0]], so 8 / 1
    made, true = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    made[:, 0], true[:, 0] = 3.0, 1.0
    assert _terms.texture([made], [true]).tolist() == [pytest.approx(8.0, rel=1e-5)]
    # nothing at all against something: 1, and the mean over layers
    assert _terms.texture([made * 0, true], [true, true]).tolist() == [pytest.approx(0.5, rel=1e-5)]


def test_texture_does_not_ask_where_in_a_window_something_stands():
    true = torch.rand(1, 3, 8, 8)
    windows = true.unfold(2, 2, 2).unfold(3, 2, 2)  # (1, 3, 4, 4, 2, 2): the places within each window, turned round
    turned = windows.flip(4, 5).permute(0, 1, 2, 4, 3, 5).reshape(1, 3, 8, 8)
    assert not torch.equal(turned, true)
    assert _terms.texture([turned], [true]).item() == pytest.approx(0, abs=1e-6)
    assert _terms.texture([true.flip(2)], [true]).item() > 0.01  # but in which window it stands, it does


def test_targets_get_no_gradient():
    made, true = torch.rand(1, 2, 4, 4, requires_grad=True), torch.rand(1, 2, 4, 4, requires_grad=True)
    unit = torch.rand(1, 3, 8, requires_grad=True)
    terms = _terms.perceptual([made], [true]) + _terms.feature_matching([[made]], [[true]])
    terms = terms + _terms.texture([made], [true])
    terms = terms + _terms.patch_nce(made.flatten(2), true.flatten(2), 1.0) + _terms.patch_nce(unit, unit, 1.0)
    terms.sum().backward()
    assert made.grad.abs().sum() > 0
    assert unit.grad.abs().sum() > 0
    assert true.grad is None


def test_patch_nce():
    corners = torch.eye(2)[None]  # two places, at right angles
    # the right key has similarity 1, the wrong one 0: -log(e^2 / (e^2 + 1))
    right = _terms.patch_nce(corners, corners, 0.5).item()
    assert right == pytest.approx(math.log1p(math.exp(-2)))
    # exchanged, the right one has 0 and the wrong one 1
    assert _terms.patch_nce(corners, corners.flip(1), 0.5).item() == pytest.approx(math.log1p(math.exp(2)))
    # all alike: one of two
    alike = torch.ones(3, 2, 4) / 2
    assert _terms.patch_nce(alike, alike, 0.07).tolist() == pytest.approx([math.log(2)] * 3)


def test_patch_nce_keeps_images_apart():
    """An image's negatives are its own places: another image in the batch changes nothing."""
    places = F.normalize(torch.randn(3, 5, 8), dim=2)
    keys = F.normalize(torch.randn(3, 5, 8), dim=2)
    alone = torch.cat([_terms.patch_nce(places[i : i + 1], keys[i : i + 1], 0.07) for i in range(3)])
    assert torch.allclose(_terms.patch_nce(places, keys, 0.07), alone)


def test_a_laplacian_pyramid_counts_every_band():
    zero = torch.zeros(1, 3, 16, 16)
    flat = torch.full_like(zero, 0.5)
    assert _terms.laplacian_l1(flat, zero).item() == pytest.approx(0.5)  # all of it in the last band
    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    checks = ((rows + columns) % 2 * 2 - 1).float().expand_as(zero)
    assert _terms.laplacian_l1(checks, zero).item() == pytest.approx(1.0)  # its mean is zero: all in the finest band
    assert _terms.laplacian_l1(flat + checks, zero).item() == pytest.approx(1.5)
