"""Padding, clamping and modes; that any size works is in the contract tests."""

import pytest
import torch
from pydantic import ValidationError

from translate.config import Domains
from translate.errors import UnknownNameError
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts, Translator


def translator(architecture="resnet", seed=0, **options):
    name, config = parse_config("generator", {"architecture": architecture, **options}, "test")
    torch.manual_seed(seed)
    network = build("generator", name, config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.2)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(network, facts)


def test_facts_of_the_network():
    it = translator(width=4, blocks=2, in_channels=1)
    assert (it.in_channels, it.out_channels, it.multiple, it.minimum_px) == (1, 3, 4, 8)
    assert it.receptive_radius_px == 28
    assert not it.network.training
    assert not any(parameter.requires_grad for parameter in it.network.parameters())


def test_a_size_that_fits_is_given_to_the_network_as_it_is():
    it = translator(width=4, blocks=1)
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    assert torch.equal(it(x), it.network(x).clamp(-1, 1))


def test_other_sizes_are_padded_by_reflection_on_all_sides():
    it = translator(width=4, blocks=1, norm="none")
    x = torch.rand(1, 3, 14, 22) * 2 - 1
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    assert torch.allclose(it(x), it.network(padded)[..., 1:-1, 1:-1], atol=1e-6)


def test_short_sides_repeat_the_edge():
    it = translator(width=4, blocks=1, norm="none")
    x = torch.rand(1, 3, 2, 16) * 2 - 1
    padded = torch.nn.functional.pad(x, (0, 0, 3, 3), mode="replicate")
    assert torch.allclose(it(x), it.network(padded)[..., 3:-3, :], atol=1e-6)


def test_residual_outputs_are_clamped():
    it = translator(width=4, blocks=1, residual_output=True)
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    assert it.network(x).abs().max() > 1
    assert it(x).abs().max() == 1


def test_a_residual_can_be_blurred_by_a_triangle():
    it = translator(width=4, blocks=1, residual_output=True, residual_blur_px=2)
    for parameter in it.network.head.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.zeros(1, 3, 1, 16)
    x[..., 8] = 0.9
    x = x.expand(1, 3, 16, 16)
    assert torch.allclose(it(x)[0, 0, 5, 5:12] * 10, torch.tensor([0.0, 1, 2, 3, 2, 1, 0]), atol=1e-5)
    assert torch.allclose(it(torch.full((1, 3, 16, 16), 0.5)), torch.tensor(0.5), atol=1e-6)  # the edges too


def test_half_precision_weights_are_computed_in_float32():
    it = translator(width=4, blocks=1)
    half = Translator(it.network.half(), it.facts)
    assert {parameter.dtype for parameter in half.network.parameters()} == {torch.float32}
    assert half(torch.zeros(1, 3, 8, 8)).dtype == torch.float32


def test_compat_without_batch_norm_and_dropout_is_a_call():
    it = translator(width=4, blocks=1)
    x = torch.rand(1, 3, 17, 13) * 2 - 1
    assert torch.equal(it.compat(x, seed=1), it(x))


def test_compat_leaves_the_random_state_and_the_weights_alone():
    it = translator("unet", width=4, levels=6, dropout=True)
    before = {key: value.clone() for key, value in it.network.state_dict().items()}
    x = torch.rand(1, 3, 64, 64)
    state = torch.get_rng_state()
    it.compat(x, seed=5)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, it.network.state_dict()[key]) for key, value in before.items())
    assert not it.network.training


def test_compat_shares_the_weights():
    it = translator("unet", width=4, levels=3)
    x = torch.rand(1, 3, 16, 16)
    before = it.compat(x, seed=0)
    torch.nn.init.zeros_(it.network.up[0][0].weight)
    assert not torch.equal(before, it.compat(x, seed=0)), "compat runs on a copy of the weights"


def test_facts_are_checked():
    with pytest.raises(ValidationError, match="name"):
        ModelFacts(name="No Name", architecture="resnet", config={}, domains=Domains(a="a", b="b"))
    facts = ModelFacts(name="m", version=3, architecture="resnat", config={}, domains=Domains(a="a", b="b"))
    assert facts.reference == "m@3"
    with pytest.raises(UnknownNameError, match="resnet"):
        Translator(torch.nn.Identity(), facts)
