"""Early signs of a game that goes wrong, on translators that are wrong on purpose."""

import pytest
import torch
from torch import nn
from training_set import picture

from translate.images.tensors import to_tensor
from translate.models import resnet
from translate.training.sheet import translate_samples
from translate.training.watch import warnings_of

DIRECTIONS = {"G_ab": ("a", "b")}


class Made(nn.Module):
    """Not a trained network: what it makes of an image is said outright."""

    config = resnet.Config()

    def __init__(self, rule):
        super().__init__()
        self.rule = rule
        self.anywhere = nn.Parameter(torch.zeros(()))  # says on which device it is

    def forward(self, x):
        return self.rule(x)


@pytest.fixture
def samples():
    return {"a": [to_tensor(picture(i)) for i in range(4)]}


def test_a_translator_that_changes_tones_is_fine(samples):
    assert warnings_of(translate_samples({"G_ab": Made(lambda x: 0.6 * x + 0.2)}, DIRECTIONS, samples)) == []


def test_negatives_are_seen(samples):
    (warning,) = warnings_of(translate_samples({"G_ab": Made(lambda x: -x)}, DIRECTIONS, samples))
    assert "G_ab turns light into dark" in warning


def test_one_picture_for_all_is_seen(samples):
    one = samples["a"][0][None]
    (warning,) = warnings_of(translate_samples({"G_ab": Made(lambda x: one + 0.01 * x)}, DIRECTIONS, samples))
    assert "much the same of every input" in warning


def test_one_channel_and_one_sample_are_enough():
    grey = {"a": [torch.rand(1, 40, 56) * 2 - 1]}
    (warning,) = warnings_of(translate_samples({"G_ab": Made(lambda x: -x)}, DIRECTIONS, grey))
    assert "G_ab" in warning
