"""What holds for every architecture: the files of `translate/models` that have a role."""

import pytest
import torch
from safetensors.torch import load, save

from translate.config import Domains
from translate.errors import ConfigError, UnknownNameError
from translate.models.contract import architectures, build, parse_config
from translate.models.translator import ModelFacts, Translator

GENERATORS = {
    "resnet": [
        {"width": 4, "blocks": 1},
        {"width": 3, "blocks": 2, "in_channels": 1, "out_channels": 3, "norm": "batch", "dropout": True},
        {"width": 4, "blocks": 1, "sampling": "antialiased", "affine": True},
        {"width": 4, "blocks": 1, "sampling": "antialiased", "norm": "none", "residual_output": True},
        {"width": 4, "blocks": 1, "downs": 1, "residual_output": True, "residual_blur_px": 4},
        {"width": 4, "blocks": 0},
        {"width": 2, "blocks": 2, "downs": 3},
        {"width": 2, "blocks": 1, "downs": 3, "sampling": "antialiased"},
        {"width": 2, "blocks": 1, "downs": 4},
    ],
    "rrdb": [
        {"width": 4, "growth": 2, "blocks": 1},
        {"width": 3, "growth": 2, "blocks": 2, "in_channels": 1},
    ],
    "unet": [
        {"width": 4, "levels": 3},
        {"width": 3, "levels": 2, "norm": "none", "in_channels": 1},
        {"width": 4, "levels": 5, "norm": "instance", "affine": True, "out_channels": 1},
        {"width": 2, "levels": 6, "norm": "batch", "dropout": True},
    ],
}
DISCRIMINATORS = {
    "patchgan": [
        {"width": 4},
        {"width": 4, "layers": 2, "norm": "batch", "in_channels": 6},
        {"width": 4, "layers": 1, "norm": "none", "spectral": True},
        {"width": 4, "sampling": "antialiased", "in_channels": 1},
    ],
    "multiscale": [
        {"width": 4},
        {"width": 4, "scales": 2, "layers": 2, "norm": "batch", "in_channels": 6},
        {"width": 4, "scales": 1, "layers": 1, "norm": "none", "spectral": True, "padding": 1},
    ],
}
EXAMPLES = [
    *(("generator", name, options) for name, several in GENERATORS.items() for options in several),
    *(("discriminator", name, options) for name, several in DISCRIMINATORS.items() for options in several),
]
every_example = pytest.mark.parametrize(("role", "name", "options"), EXAMPLES, ids=str)
every_generator = pytest.mark.parametrize(
    ("role", "name", "options"), [example for example in EXAMPLES if example[0] == "generator"], ids=str)


def made(role, name, options):
    name, config = parse_config(role, {"architecture": name, **options}, "test")
    torch.manual_seed(0)
    return build(role, name, config), config


def some_input(config, height, width, count=1):
    return torch.rand(count, config.in_channels, height, width) * 2 - 1


def size_for(config):
    """Big enough for batch norm in the innermost layer of every example."""
    return max(2 * config.multiple, 32)


def test_every_architecture_has_examples():
    """A new file in the folder needs a line here, or in a contract test of its own kind."""
    assert set(architectures("generator")) == set(GENERATORS)
    assert set(architectures("discriminator")) == set(DISCRIMINATORS)


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_defaults_are_complete(role):
    for name in architectures(role):
        with torch.device("meta"):
            assert sum(p.numel() for p in made(role, name, {})[0].parameters()) > 1_000_000


@every_example
def test_saved_and_loaded_is_the_same(role, name, options):
    network, config = made(role, name, options)
    x = some_input(config, size_for(config), size_for(config), count=2)
    network(x)  # in train mode, so that running statistics move away from their defaults
    other = build(role, name, config)
    other.load_state_dict(load(save(network.state_dict())))
    with torch.no_grad():
        ours, theirs = network.eval()(x), other.eval()(x)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a, b)
        assert a.std() > 0


@every_example
def test_gradients_reach_every_parameter(role, name, options):
    network, config = made(role, name, options)
    y = network(some_input(config, size_for(config), size_for(config), count=2))
    loss = sum((part * torch.randn_like(part)).sum() for part in (y if role == "discriminator" else [y]))
    loss.backward()
    silent = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    assert not silent
    flat = [key for key, parameter in network.named_parameters()
            if not torch.isfinite(parameter.grad).all() or parameter.grad.abs().max() == 0]
    assert not flat


@every_example
@pytest.mark.parametrize("count", [1, 2])
def test_gradients_do_not_depend_on_the_layout(role, name, options, count):
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network, config = made(role, name, {**options, **({"dropout": False} if "dropout" in options else {})})
        x = some_input(config, size_for(config), size_for(config), count).double()
        network = network.double().to(memory_format=layout)
        out = network(x.to(memory_format=layout))
        losses = [each.square().mean() for each in ([out] if isinstance(out, torch.Tensor) else out)]
        found.append(torch.autograd.grad(sum(losses), list(network.parameters())))
    for key, one, other in zip(dict(network.named_parameters()), *found, strict=True):
        assert torch.allclose(one, other, rtol=1e-6, atol=1e-12), key


@every_example
def test_parameters_do_not_depend_on_the_input(role, name, options):
    network, config = made(role, name, options)
    before = {key: value.shape for key, value in network.state_dict().items()}
    for factor in (1, 2):
        network(some_input(config, factor * size_for(config), size_for(config), count=2))
    assert {key: value.shape for key, value in network.state_dict().items()} == before


@every_generator
@pytest.mark.parametrize("factor", [1, 3])
def test_generators_keep_the_size(role, name, options, factor):
    network, config = made(role, name, options)
    side = max(config.multiple, config.minimum_px)
    y = network.eval()(some_input(config, side, side * factor))
    assert y.shape == (1, config.out_channels, side, side * factor)


@every_generator
def test_translators_take_any_size(role, name, options):
    network, config = made(role, name, options)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    translator = Translator(network, facts)
    for height, width in ((1, 1), (1, 70), (37, 5), (33, 64)):
        y = translator(some_input(config, height, width) * 3)
        assert y.shape == (1, config.out_channels, height, width)
        assert y.dtype == torch.float32
        assert torch.isfinite(y).all()
        assert -1 <= y.min() <= y.max() <= 1
        assert not y.requires_grad


@every_generator
def test_an_output_pixel_looks_as_far_as_is_said(role, name, options):
    """The gradient of one output pixel reaches the receptive radius, and nothing beyond."""
    normed = hasattr(parse_config(role, {"architecture": name}, "test")[1], "norm")
    network, config = made(role, name, {**options, "norm": "none"} if normed else options)
    for parameter in network.parameters():  # all positive, so that no path cancels and no activation hides one
        torch.nn.init.constant_(parameter, 1 / parameter[0].numel())
    network.eval().double()
    radius, multiple = config.receptive_radius_px, config.multiple
    side = -(-(2 * radius + 64) // multiple) * multiple
    reaches = []
    for offset in range(multiple) if multiple <= 8 else (0,):
        at = side // 2 + offset
        x = torch.full((1, config.in_channels, side, multiple * 2), 1e-6).double().requires_grad_()
        network(x)[0, 0, at, 0].backward()
        rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        reaches.append(max(at - int(rows.min()), int(rows.max()) - at))
    assert max(reaches) <= radius
    assert multiple > 8 or max(reaches) == radius, "all offsets were tried, and none looks that far"


@pytest.mark.parametrize(("role", "name", "options"), [e for e in EXAMPLES if e[0] == "discriminator"], ids=str)
def test_features_of_discriminators(role, name, options):
    """A list for each score map, fine to coarse, of the same pass: nothing in them is changed afterwards."""
    network, config = made(role, name, options)
    network.eval()
    x = some_input(config, 64, 48, count=2)
    with torch.no_grad():
        scores, features = network.scores_and_features(x)
        for ours, theirs in zip(scores, network(x), strict=True):
            assert torch.equal(ours, theirs)
    assert len(features) == len(scores) == getattr(config, "scales", 1)
    for scale, (score, layers) in enumerate(zip(scores, features, strict=True)):
        assert len(layers) == config.layers + 1
        assert [layer.shape[1] for layer in layers] == [4 * min(2**i, 8) for i in range(config.layers + 1)]
        assert all(len(layer) == 2 and layer.min() < 0 < layer.max() for layer in layers)
        assert score.shape[:2] == (2, 1)
        assert scale == 0 or score.shape[2] < scores[scale - 1].shape[2]


@pytest.mark.parametrize("options", GENERATORS["resnet"], ids=str)
def test_features_of_the_resnet(options):
    """Their channels are as announced, and every parameter before the last of them has its part."""
    network, config = made("generator", "resnet", options)
    x = some_input(config, 2 * config.minimum_px, config.minimum_px, count=2)
    features = network.encode(x)
    assert [feature.shape[1] for feature in features] == network.feature_channels
    assert len(features) == 1 + config.downs + (config.blocks > 0) + (config.blocks > 1)
    assert torch.equal(features[0], x)
    assert features[-1].shape[2:] == (x.shape[2] // config.multiple, x.shape[3] // config.multiple)


def test_features_of_the_reference_resnet():
    """CUT's layers 0, 4, 8, 12 and 16: three, 128 and three times 256 channels."""
    with torch.device("meta"):
        network, _ = made("generator", "resnet", {"sampling": "antialiased"})
        assert network.feature_channels == [3, 128, 256, 256, 256]
        shapes = [tuple(feature.shape[1:]) for feature in network.encode(torch.empty(1, 3, 64, 64))]
    assert shapes == [(3, 64, 64), (128, 64, 64), (256, 32, 32), (256, 16, 16), (256, 16, 16)]


@pytest.mark.parametrize(("role", "name", "count", "options"), [
    ("generator", "resnet", 11_378_179, {}),
    ("generator", "resnet", 7_837_699, {"blocks": 6}),
    ("generator", "resnet", 11_378_179, {"sampling": "antialiased"}),
    ("generator", "unet", 54_413_955, {}),
    ("generator", "unet", 54_409_603, {"norm": "instance"}),
    ("generator", "unet", 41_828_995, {"levels": 7}),
    ("generator", "resnet", 182_443_267, {"downs": 4}),
    ("generator", "rrdb", 16_697_987, {}),
    ("discriminator", "patchgan", 2_764_737, {}),
    ("discriminator", "multiscale", 3 * 2_764_737, {}),
    ("discriminator", "patchgan", 2_768_705, {"in_channels": 6, "norm": "batch"}),
])
def test_parameter_counts_of_the_reference(role, name, count, options):
    with torch.device("meta"):
        network, _ = made(role, name, options)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(("name", "options", "radius"), [
    ("resnet", {}, 84), ("resnet", {"blocks": 6}, 60), ("resnet", {"sampling": "antialiased"}, 93),
])
def test_receptive_radii_of_the_reference(name, options, radius):
    assert parse_config("generator", {"architecture": name, **options}, "test")[1].receptive_radius_px == radius


@every_example
def test_unknown_options_are_refused(role, name, options):
    with pytest.raises(ConfigError, match="colour"):
        parse_config(role, {"architecture": name, **options, "colour": 1}, "test")
    with pytest.raises(ConfigError, match="width"):
        parse_config(role, {"architecture": name, **options, "width": "wide"}, "test")


def test_unknown_architectures_are_refused():
    with pytest.raises(UnknownNameError, match=r"resnt.*resnet"):
        parse_config("generator", {"architecture": "resnt"}, "test")
    with pytest.raises(UnknownNameError, match="patchgan"):
        parse_config("generator", {"architecture": "patchgan"}, "test")
