"""Each measure against values worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from translate.metrics.artefacts import checkerboard
from translate.metrics.content import edge_agreement
from translate.metrics.kid import kid, kid_floor, kid_with_spread
from translate.metrics.paired import l1, layer_distance, psnr, ssim
from translate.models.features import Features


def generator():
    return torch.Generator().manual_seed(0)


def grey(value, side=32):
    return torch.full((1, 3, side, side), value)


def smooth(count=4, side=64):
    coarse = torch.rand(count, 3, 8, 8, generator=generator())
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


class TestKid:
    def test_by_hand(self):
        # d = 2; k(a1, a2) = (0/2 + 1)^3 = 1; k(b1, b2) = (4/2 + 1)^3 = 27; mean k(a, b) = (1 + 1 + 1 + 27) / 4
        a = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
        b = torch.tensor([[0.0, 2.0], [2.0, 2.0]])
        assert kid(a, b) == pytest.approx(1 + 27 - 2 * 7.5)

    def test_unbiased(self):
        """Samples of one distribution average to zero; a shift of the mean does not."""
        rows = torch.randn(40, 20, 8, generator=generator())
        values = torch.tensor([kid(a, b) for a, b in zip(rows[:20], rows[20:], strict=True)])
        error = float(values.std()) / math.sqrt(len(values))
        assert abs(float(values.mean())) < 3 * error
        assert kid(rows[0], rows[1] + 1) > 10 * float(values.std())

    def test_order_of_images_does_not_matter(self):
        a, b = torch.randn(2, 12, 6, generator=generator())
        shuffled = a[torch.randperm(12, generator=generator())]
        assert kid_with_spread(a, b) == kid_with_spread(shuffled, b.flip(0))
        assert kid_floor(a) == kid_floor(shuffled)

    def test_floor_falls_with_more_images(self):
        rows = torch.randn(400, 8, generator=generator())
        assert 0 < kid_floor(rows).value < kid_floor(rows[:20]).value / 3


class TestPaired:
    def test_l1_and_psnr(self):
        x, y = torch.cat([grey(0.5), grey(0.2)]), torch.cat([grey(0.6), grey(0.2)])
        assert l1(x, y).tolist() == pytest.approx([0.1, 0.0])
        assert psnr(x, y).tolist() == pytest.approx([20.0, math.inf], rel=1e-5)

    def test_ssim_of_flat_images_is_the_luminance_term(self):
        x, y = grey(0.5).double(), grey(0.6).double()
        assert ssim(x, y).item() == pytest.approx((2 * 0.5 * 0.6 + 1e-4) / (0.25 + 0.36 + 1e-4))

    def test_ssim_of_equal_noisy_and_inverted_images(self):
        x = smooth()
        noisy = x + 0.1 * torch.randn(x.shape, generator=generator())
        assert ssim(x, x).tolist() == pytest.approx([1.0] * 4, abs=1e-5)
        assert (ssim(x, noisy) < 0.9).all()
        assert (ssim(x, 1 - x) < ssim(x, noisy)).all()

    def test_ssim_with_one_window_by_definition(self):
        """An image of the window's own size has one position: weighted means, variances and covariance."""
        x, y = torch.rand(2, 1, 1, 11, 11, generator=generator()).double()
        line = torch.tensor([math.exp(-((i - 5) ** 2) / (2 * 1.5**2)) for i in range(11)]).double()
        w = torch.outer(line, line) / torch.outer(line, line).sum()
        mx, my = (w * x[0, 0]).sum(), (w * y[0, 0]).sum()
        vx, vy = (w * (x[0, 0] - mx) ** 2).sum(), (w * (y[0, 0] - my) ** 2).sum()
        cov = (w * (x[0, 0] - mx) * (y[0, 0] - my)).sum()
        expected = (2 * mx * my + 1e-4) * (2 * cov + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
        assert ssim(x, y).item() == pytest.approx(expected.item(), rel=1e-6)

    def test_layer_distance_by_hand(self):
        # position 0: (3, 4) -> (.6, .8) against (0, 2) -> (0, 1): .36 + .04; position 1: the same direction: 0
        a = torch.tensor([[[[3.0, 1.0]], [[4.0, 0.0]]]])
        b = torch.tensor([[[[0.0, 5.0]], [[2.0, 0.0]]]])
        pooled = torch.zeros(1, 2)
        assert layer_distance(Features((a,), pooled), Features((b,), pooled)).item() == pytest.approx(0.2)
        assert layer_distance(Features((a, a), pooled), Features((b, b), pooled)).item() == pytest.approx(0.4)


class TestContent:
    def test_edges_that_stay_agree_whatever_their_strength_or_sign(self):
        x = smooth()
        assert edge_agreement(x, 0.3 * x + 0.2).tolist() == pytest.approx([1.0] * 4, abs=1e-4)
        assert edge_agreement(x, 1 - x).tolist() == pytest.approx([1.0] * 4, abs=1e-4)

    def test_edges_elsewhere_do_not(self):
        x = smooth()
        assert (edge_agreement(x, x.flip(0)).abs() < 0.5).all()
        assert edge_agreement(x, torch.full_like(x, 0.5)).tolist() == pytest.approx([0.0] * 4, abs=1e-6)


class TestCheckerboard:
    @pytest.mark.parametrize("period", [2, 4])
    @pytest.mark.parametrize("direction", [-1, -2])
    def test_a_faint_pattern_is_seen(self, period, direction):
        x = smooth() * 0.8 + 0.1 + 0.01 * torch.randn(4, 3, 64, 64, generator=generator())
        positions = torch.arange(64) % period == 0
        pattern = 0.03 * (positions if direction == -1 else positions[:, None])
        assert (checkerboard(x).abs() < 4).all()
        assert (checkerboard(x + pattern) > checkerboard(x) + 4).all()

    def test_sides_that_are_no_multiple(self):
        assert checkerboard(torch.rand(1, 3, 37, 51, generator=generator())).shape == (1,)


@pytest.mark.parametrize("measure", [l1, psnr, ssim, edge_agreement])
def test_a_batch_gives_what_single_images_give(measure):
    x = smooth()
    y = x.flip(0)
    alone = [measure(a[None], b[None]).item() for a, b in zip(x, y, strict=True)]
    assert measure(x, y).tolist() == pytest.approx(alone, rel=1e-5)
