"""What every training game must keep to; new files in translate/objectives are picked up by themselves."""

import pytest
import torch

from translate.errors import ConfigError, UnknownNameError
from translate.models.contract import build, parse_config
from translate.objectives.contract import build_objective, objectives


def networks_of(objective, **discriminator):
    torch.manual_seed(0)
    made = {}
    for name, role in objective.roles(3, 3).items():
        values = {"in_channels": role.in_channels, "width": 4}
        values |= (
            {"architecture": "resnet", "out_channels": role.out_channels, "blocks": 1}
            if role.kind == "generator"
            else {"architecture": "patchgan", "layers": 1, **discriminator}
        )
        made[name] = build(role.kind, *parse_config(role.kind, values, name))
    return made | objective.heads(made)


PIX2PIX_HD = {"name": "pix2pix", "adversarial": "least_squares", "l1_weight": 0.0, "feature_matching_weight": 10.0,
              "perceptual_weight": 10.0}
REDRAWN = {"name": "pix2pix", "judge": "images", "feature_matching_weight": 1.0, "texture_weight": 1.0}
ALL_CHANGES = ["colour", "translation", "cutout"]
GAMES = [
    *({"name": name} for name in objectives()),
    *({"name": name, "adversarial": kind} for name in objectives() for kind in ("hinge", "wgan_gp")),
    *({"name": name, "r1_weight": 10.0, "augment": ALL_CHANGES} for name in objectives()),
    {"name": "cyclegan", "identity_until": 0.5, "perceptual_weight": 1.0, "cycle_weight": 0.0},
    {"name": "cut", "nce_weight": 10.0, "nce_identity_weight": 0.0, "flip_equivariance": True},
    PIX2PIX_HD,
    REDRAWN,
]
"""Every game as it is by default, and with the options that bring other terms."""


@pytest.fixture(params=GAMES, ids=lambda options: "-".join(str(value) for value in options.values()))
def options(request):
    return request.param


@pytest.fixture
def game(options):
    return build_objective(options, "test")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    sides = {side: torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for side in ("a", "b", "answer_a")}
    return sides | {"known_a": torch.tensor([1.0, 0.0]), "way": torch.tensor(0.25)}


def players(game, networks):
    """Generators with the game's heads, and discriminators."""
    judges = {name for name, role in game.roles(3, 3).items() if role.kind == "discriminator"}
    return ({name: network for name, network in networks.items() if name not in judges},
            {name: network for name, network in networks.items() if name in judges})


def test_there_are_games():
    assert {"cut", "cyclegan", "pix2pix"} <= set(objectives())


def test_directions_are_roles(game):
    roles = game.roles(3, 3)
    for role, (source, target) in game.directions.items():
        assert roles[role].kind == "generator"
        assert {source, target} == {"a", "b"}
    assert sorted(game.order) == ["discriminator", "generator"]


def test_terms_are_finite_and_unreduced(game, batch):
    networks = networks_of(game)
    images = game.translate(networks, batch)
    detached = {name: image.detach() for name, image in images.items()}
    terms = game.generator_loss(networks, batch, images) | game.discriminator_loss(networks, batch, detached)
    assert terms
    for name, term in terms.items():
        assert term.ndim == 1, name
        assert 1 <= len(term) <= 2, name
        assert torch.isfinite(term).all(), name


def test_gradients_reach_the_player_and_nobody_else(game, batch):
    networks = networks_of(game)
    generators, discriminators = players(game, networks)
    images = game.translate(networks, batch)
    detached = {name: image.detach() for name, image in images.items()}

    terms = game.discriminator_loss(networks, batch, detached)
    torch.stack([term.mean() for term in terms.values()]).sum().backward()
    for name, network in discriminators.items():
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{name}.{key}"
    assert all(p.grad is None for network in generators.values() for p in network.parameters())

    for network in discriminators.values():
        network.requires_grad_(False).zero_grad(set_to_none=True)
    terms = game.generator_loss(networks, batch, images)
    torch.stack([term.mean() for term in terms.values()]).sum().backward()
    for name, network in generators.items():
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None, f"{name}.{key}"
    assert all(p.grad is None for network in discriminators.values() for p in network.parameters())


def test_discriminators_of_several_scales_fit(game, batch):
    networks = networks_of(game, architecture="multiscale", scales=2)
    images = game.translate(networks, batch)
    terms = game.generator_loss(networks, batch, images)
    terms |= game.discriminator_loss(networks, batch, {name: image.detach() for name, image in images.items()})
    assert all(torch.isfinite(term).all() for term in terms.values())


def test_heads_are_none_of_the_roles(game):
    networks = networks_of(game)
    roles = game.roles(3, 3)
    assert set(networks) == set(roles) | set(game.heads({name: networks[name] for name in roles}))


@pytest.mark.parametrize("name", objectives())
def test_an_unknown_option_is_an_error(name):
    with pytest.raises(ConfigError, match="no_such_option"):
        build_objective({"name": name, "no_such_option": 1}, "test")


def test_an_unknown_game_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="cyclegan"):
        build_objective({"name": "cyclegna"}, "test")
