"""Who is told apart from whom, and what the answers are."""

import pytest
import torch
from torch import nn

from translate.errors import ConfigError
from translate.objectives.pix2pix import Config, Objective

A, B, ANSWER, FAKE = (torch.full((2, 3, 16, 16), value) for value in (0.1, 0.2, 0.3, 0.5))
BATCH = {"a": A, "b": B, "answer_a": ANSWER, "known_a": torch.tensor([1.0, 0.0])}
IMAGES = {"fake_b": FAKE}


class Listening(nn.Module):
    """A discriminator that scores everything 0 and keeps what it was shown: the first pixel of the first image."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x):
        self.shown.append([round(float(value), 1) for value in x[0, :, 0, 0]])
        return [torch.zeros(len(x), 1, 2, 2)]


@pytest.mark.parametrize(("judge", "channels", "real", "made"), [
    ("pairs", 6, [0.1] * 3 + [0.2] * 3, [0.1] * 3 + [0.5] * 3), ("images", 3, [0.2] * 3, [0.5] * 3),
])
def test_what_the_discriminator_sees(judge, channels, real, made):
    game, judge_network = Objective(Config(judge=judge)), Listening()
    assert game.roles(3, 3)["D_ab"].in_channels == channels
    game.discriminator_loss({"D_ab": judge_network}, BATCH, IMAGES)
    game.generator_loss({"D_ab": judge_network}, BATCH, IMAGES)
    assert judge_network.shown == [real, made, made]


def test_answers_are_those_of_the_pairs_or_those_that_are_known():
    def l1(judge):
        terms = Objective(Config(judge=judge, l1_weight=10.0)).generator_loss({"D_ab": Listening()}, BATCH, IMAGES)
        return terms["l1"].tolist()

    assert l1("pairs") == pytest.approx([3.0, 3.0])
    assert l1("images") == pytest.approx([2.0, 0.0])


def test_a_texture_that_is_lost_is_seen():
    rough = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    batch = {"a": rough, "b": rough, "answer_a": rough, "known_a": torch.ones(2)}
    game = Objective(Config(judge="images", l1_weight=0.0, texture_weight=2.0))

    def texture(fake):
        terms = game.generator_loss({"D_ab": Listening()}, batch, {"fake_b": fake})
        assert terms.keys() == {"G_ab", "texture"}
        return terms["texture"]

    assert texture(rough).max() < 1e-3
    assert texture(rough.mean(dim=(2, 3), keepdim=True).expand_as(rough)).min() > 0.5


def test_a_set_without_answers_is_refused():
    with pytest.raises(ConfigError, match=r"set data.kind: unpaired and data\.answers_a"):
        Objective(Config(judge="images")).generator_loss({"D_ab": Listening()}, {"a": A, "b": B}, IMAGES)
