"""What every training game must keep to; new files in translate/objectives are picked up by themselves."""

import pytest
import torch

from translate.errors import ConfigError, UnknownNameError
from translate.models.contract import build, parse_config
from translate.objectives.contract import build_objective, objectives


def networks_of(objective):
    torch.manual_seed(0)
    made = {}
    for name, role in objective.roles(3, 3).items():
        values = {"in_channels": role.in_channels, "width": 4}
        values |= (
            {"architecture": "resnet", "out_channels": role.out_channels, "blocks": 1}
            if role.kind == "generator"
            else {"architecture": "patchgan", "layers": 1}
        )
        made[name] = build(role.kind, *parse_config(role.kind, values, name))
    return made


@pytest.fixture(params=objectives())
def game(request):
    return build_objective({"name": request.param}, "test")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return {side: torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for side in ("a", "b")}


def players(game, networks):
    kinds = {name: role.kind for name, role in game.roles(3, 3).items()}
    return [{n: net for n, net in networks.items() if kinds[n] == kind} for kind in ("generator", "discriminator")]


def test_there_are_games():
    assert {"cyclegan", "pix2pix"} <= set(objectives())


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


def test_an_unknown_option_is_an_error(game):
    name = type(game).__module__.rpartition(".")[2]
    with pytest.raises(ConfigError, match="no_such_option"):
        build_objective({"name": name, "no_such_option": 1}, "test")


def test_an_unknown_game_names_the_known_ones():
    with pytest.raises(UnknownNameError, match="cyclegan"):
        build_objective({"name": "cyclegna"}, "test")
