"""The game of CUT against values worked by hand."""

import math

import pytest
import torch
from torch import nn

from translate.errors import ConfigError
from translate.models.contract import build, parse_config
from translate.objectives.cut import Config, Heads, Objective


class Same(nn.Module):
    """Gives back its input, and shows it as its only feature."""

    feature_channels = (4,)

    def forward(self, x):
        return x

    def encode(self, x):
        return [x]


class Zero(nn.Module):
    def forward(self, x):
        return [x.mean(dim=(1, 2, 3), keepdim=True) * 0]


class Plain(nn.Module):
    """Heads without weights: the features themselves, which are of unit length here."""

    def forward(self, features, places):
        pairs = zip(features, places, strict=True)
        return [feature.flatten(2)[:, :, place].transpose(1, 2) for feature, place in pairs]


NETWORKS = {"G_ab": Same(), "D_b": Zero(), "F_ab": Plain()}
CORNERS = torch.eye(4).view(1, 4, 2, 2)
"""2 x 2 places, each in a direction of its own."""
BATCH = {"a": CORNERS, "b": torch.full((1, 4, 2, 2), 0.5)}
APART, ALIKE = math.log(math.exp(2) + 3) - 2, math.log(4)
"""Cross-entropy of one right key among four at temperature 0.5: similarities (1, 0, 0, 0), and all equal."""


def terms(**options):
    game = Objective(Config(temperature=0.5, **options))
    torch.manual_seed(0)
    return game.generator_loss(NETWORKS, BATCH, game.translate(NETWORKS, BATCH))


def test_terms_of_cut():
    found = {name: term.item() for name, term in terms().items()}
    assert found == pytest.approx({"G_ab": 1.0, "nce_a": 0.5 * APART, "nce_b": 0.5 * ALIKE})


def test_terms_of_fastcut():
    found = terms(nce_weight=10.0, nce_identity_weight=0.0, flip_equivariance=True)
    assert {name: term.item() for name, term in found.items()} == pytest.approx({"G_ab": 1.0, "nce_a": 10 * APART})


def test_fewer_places_are_easier():
    # one wrong key instead of three
    assert terms(patches=2)["nce_a"].item() == pytest.approx(0.5 * math.log1p(math.exp(-2)))


def test_the_mirror_turns_features_back():
    game = Objective(Config(temperature=0.5, flip_equivariance=True))
    drawn = []
    for seed in range(8):
        torch.manual_seed(seed)
        images = game.translate(NETWORKS, BATCH)
        drawn.append(bool(images["mirrored"]))
        assert torch.equal(images["fake_b"], CORNERS.flip(3) if drawn[-1] else CORNERS)
        assert game.generator_loss(NETWORKS, BATCH, images)["nce_a"].item() == pytest.approx(0.5 * APART)
    assert set(drawn) == {True, False}
    images = {"fake_b": CORNERS.flip(3), "same_b": BATCH["b"], "mirrored": torch.tensor(False)}
    wrong = game.generator_loss(NETWORKS, BATCH, images)["nce_a"].item()
    assert wrong == pytest.approx(0.5 * (APART + 2))  # each key is at another place: similarity 0 for the right one


def test_heads_give_unit_vectors_of_the_places_asked_for():
    torch.manual_seed(0)
    heads = Heads([3, 8], width=16)
    features = [torch.randn(2, 3, 6, 6), torch.randn(2, 8, 3, 3)]
    places = [torch.tensor([7, 0, 35]), torch.arange(9)]
    found = heads(features, places)
    assert [tuple(part.shape) for part in found] == [(2, 3, 16), (2, 9, 16)]
    assert all(torch.allclose(part.norm(dim=2), torch.ones(())) for part in found)
    one = heads.layers[0](features[0][1, :, 1, 1])  # place 7 of 6 x 6
    assert torch.allclose(found[0][1, 0], one / one.norm(), atol=1e-6)


def test_heads_of_the_reference():
    generator = build("generator", *parse_config("generator", {"architecture": "resnet", "width": 64, "blocks": 5}, ""))
    heads = Objective(Config()).heads({"G_ab": generator})["F_ab"]
    assert [tuple(layer[0].weight.shape) for layer in heads.layers] == [(256, n) for n in (3, 128, 256, 256, 256)]


def test_what_cut_cannot_stand_on():
    game = Objective(Config())
    with pytest.raises(ConfigError, match="resnet"):
        game.heads({"G_ab": build("generator", *parse_config("generator", {"architecture": "unet", "levels": 2}, ""))})
    with pytest.raises(ConfigError, match="must be equal"):
        game.roles(1, 3)
