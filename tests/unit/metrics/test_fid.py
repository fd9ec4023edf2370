"""The Frechet distance where its value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from translate.metrics.fid import fid, fid_floor, fid_with_spread, too_few


def generator():
    return torch.Generator().manual_seed(0)


def rows_with(mean, covariance, count=50):
    """Rows (count, D) whose sample mean and unbiased covariance are the given ones, but for rounding."""
    mean, covariance = torch.as_tensor(mean).double(), torch.as_tensor(covariance).double()
    noise = torch.randn(count, len(mean), generator=generator(), dtype=torch.float64)
    noise = noise - noise.mean(dim=0)
    own = torch.linalg.cholesky(noise.T @ noise / (count - 1))
    white = torch.linalg.solve_triangular(own.T, noise, upper=True, left=False)
    return white @ torch.linalg.cholesky(covariance).T + mean


def test_one_dimension_by_hand():
    # |3 - 1|^2 + 4 + 9 - 2 * 2 * 3
    assert fid(rows_with([1.0], [[4.0]]), rows_with([3.0], [[9.0]])) == pytest.approx(5, abs=1e-9)


def test_commuting_covariances_by_closed_form():
    """With common eigenvectors, the distance is |m_a - m_b|^2 + sum (sqrt(l_a) - sqrt(l_b))^2."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator(), dtype=torch.float64)).Q
    a, b = (turn @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ turn.T
            for values in ((1.0, 4.0, 9.0), (4.0, 4.0, 1.0)))
    found = fid(rows_with([0.0, 1.0, 2.0], a), rows_with([2.0, 1.0, 1.0], b, count=70))
    assert found == pytest.approx(5 + 1 + 0 + 4, abs=1e-9)


@pytest.mark.parametrize("counts", [(60, 40), (12, 9), (40, 6)])
def test_any_covariances_against_scipys_matrix_root(counts):
    """Eq. 6 as it stands, with a general matrix root, also where there are fewer rows than features."""
    a, b = (torch.randn(count, 10, generator=generator()) @ torch.randn(10, 10, generator=generator())
            for count in counts)
    b = b + 0.3
    cov_a, cov_b = (np.cov(x.double().numpy(), rowvar=False) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    shift = ((a.double().mean(0) - b.double().mean(0)) ** 2).sum().item()
    expected = shift + np.trace(cov_a + cov_b - 2 * root)
    assert fid(a, b) == pytest.approx(expected, rel=1e-4)


def test_equal_sets_are_at_zero_and_a_shift_counts_squared():
    a = torch.randn(30, 50, generator=generator())
    assert fid(a, a) == pytest.approx(0, abs=1e-10)
    assert fid(a, a + 0.5) == pytest.approx(50 * 0.25, rel=1e-5)
    assert fid(a, a + 0.5) == pytest.approx(fid(a + 0.5, a))


def test_large_means_cost_no_precision():
    a, b = torch.randn(2, 40, 8, generator=generator(), dtype=torch.float64)
    assert fid(a + 1e5, b + 1e5) == pytest.approx(fid(a, b), rel=1e-6)


def test_order_of_images_does_not_matter():
    a, b = torch.randn(2, 12, 6, generator=generator())
    shuffled = a[torch.randperm(12, generator=generator())]
    assert fid_with_spread(a, b) == fid_with_spread(shuffled, b.flip(0))
    assert fid_floor(a) == fid_floor(shuffled)


def test_the_floor_shows_the_bias_of_small_sets():
    rows = torch.randn(800, 8, generator=generator())
    few, many = fid_floor(rows[:20]), fid_floor(rows)
    assert few.value > 10 * many.value > 0
    assert many.spread < few.spread
    assert math.isclose(fid_with_spread(rows, rows).value, 0, abs_tol=1e-9)


def test_too_few_images_are_named():
    assert too_few(1281, 2000, 1280) is None
    assert "2000 images against 1280, for 1280 features" in too_few(2000, 1280, 1280)
    assert "strongly biased" in too_few(4, 2000, 1280)
