"""The formulas against values worked by hand."""

import math

import pytest
import torch

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
