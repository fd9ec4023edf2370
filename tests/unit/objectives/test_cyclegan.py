"""The terms of CycleGAN against values worked by hand, with networks whose outputs are known."""

import pytest
import torch
from torch import nn

from translate.errors import ConfigError
from translate.objectives.cyclegan import Config, Objective


class Add(nn.Module):
    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount


class Zero(nn.Module):
    def forward(self, x):
        return [x.mean(dim=(1, 2, 3), keepdim=True) * 0]


NETWORKS = {"G_ab": Add(0.25), "G_ba": Add(0.5), "D_a": Zero(), "D_b": Zero()}
BATCH = {"a": torch.zeros(4, 3, 8, 8), "b": torch.zeros(4, 3, 8, 8)}


def terms(batch=BATCH, **options):
    game = Objective(Config(**options))
    images = game.translate(NETWORKS, batch)
    return game.generator_loss(NETWORKS, batch, images)


def test_cycle_and_identity():
    found = terms(cycle_weight=10.0, identity_weight=5.0)
    assert found["cycle_a"].tolist() == [7.5] * 4  # there and back: +0.75
    assert found["identity_a"].tolist() == [2.5] * 4  # G_ba(a) - a = 0.5
    assert found["identity_b"].tolist() == [1.25] * 4
    assert found["G_ab"].tolist() == [1.0] * 4  # scores of 0: (0 - 1)^2


def test_only_a_share_goes_round_the_cycle():
    assert terms(cycle_share=0.3)["cycle_b"].tolist() == [7.5] * 2  # 1.2 of 4 images, rounded up


def test_answers_count_where_they_are_known():
    batch = BATCH | {"answer_a": torch.ones(4, 3, 8, 8), "known_a": torch.tensor([1.0, 0.0, 1.0, 0.0])}
    assert terms(batch, answer_weight=4.0)["answer_a"].tolist() == [3.0, 0.0, 3.0, 0.0]
    assert "answer_b" not in terms(batch, answer_weight=4.0)


def test_the_texture_of_answers_counts_where_they_are_known():
    flat, rough = torch.zeros(2, 3, 32, 32), torch.rand(2, 3, 32, 32) * 2 - 1
    batch = {"a": flat, "b": flat, "answer_a": rough, "known_a": torch.tensor([1.0, 0.0])}
    found = terms(batch, answer_weight=0.0, answer_texture_weight=2.0)
    assert "answer_a" not in found
    assert "texture_b" not in found
    assert found["texture_a"][0] > 0.5
    assert found["texture_a"][1] == 0
    same = terms(batch | {"answer_a": flat + 0.25}, answer_texture_weight=2.0)  # what G_ab makes of a flat image
    assert same["texture_a"].tolist() == pytest.approx([0, 0], abs=1e-4)


@pytest.mark.parametrize(("way", "expected"), [(0.0, 2.5), (0.2, 1.5), (0.25, 1.25), (0.5, None), (0.9, None)])
def test_the_identity_fades(way, expected):
    # G_ba(a) - a = 0.5; the weight of 5 falls linearly to zero at half the way
    found = terms(BATCH | {"way": torch.tensor(way)}, identity_weight=5.0, identity_until=0.5)
    assert ("identity_a" in found) == (expected is not None)
    if expected is not None:
        assert found["identity_a"].tolist() == pytest.approx([expected] * 4)


def test_a_translation_stays_near_its_source():
    found = terms(self_weight=4.0)
    assert found["self_a"].tolist() == [1.0] * 4  # G_ab(a) - a = 0.25
    assert found["self_b"].tolist() == [2.0] * 4


@pytest.mark.parametrize("name", ["identity_weight", "self_weight"])
def test_terms_that_compare_domains_need_equal_channels(name):
    with pytest.raises(ConfigError, match=f"{name} compares both domains"):
        Objective(Config(**{"identity_weight": 0.0, name: 1.0})).roles(1, 3)
    assert Objective(Config(identity_weight=0.0)).roles(1, 3)["G_ab"].out_channels == 3


@pytest.mark.parametrize("weight", ["cycle_weight", "identity_weight", "self_weight"])
def test_a_term_without_weight_is_not_computed(weight):
    left_out = weight.removesuffix("_weight")
    assert not [name for name in terms(**{weight: 0.0}) if name.startswith(left_out)]
