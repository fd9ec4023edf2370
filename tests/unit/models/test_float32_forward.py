"""Forward as in float32, back in bfloat16: values, gradients and what is kept of weights."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from translate.models import byte_products
from translate.models.contract import build, parse_config
from translate.models.float32_forward import Float32Forward

GENERATORS = [
    {"architecture": "resnet", "width": 16, "blocks": 2},
    {"architecture": "resnet", "width": 16, "blocks": 1, "sampling": "antialiased", "residual_output": True},
    {"architecture": "resnet", "width": 16, "blocks": 1, "norm": "batch"},
    {"architecture": "unet", "width": 16, "levels": 4},
]


@pytest.fixture(params=[False, True], ids=["where it pays", "everywhere"])
def products(request, monkeypatch):
    """Products of bytes also in layers of these networks' size."""
    if request.param:
        for least in ("_LEAST_PIXELS", "_LEAST_PRODUCTS", "_LEAST_CHANNELS"):
            monkeypatch.setattr(byte_products, least, 1)


def generator(values):
    torch.manual_seed(0)
    return build("generator", *parse_config("generator", values, "test")).to(memory_format=torch.channels_last)


def image(side=64):
    return (torch.rand(2, 3, side, side) * 2 - 1).to(memory_format=torch.channels_last)


def cosine(one, other):
    return float(F.cosine_similarity(one.flatten(), other.flatten(), dim=0))


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("values", GENERATORS, ids=str)
def test_values_and_gradients_are_nearly_float32s(values):
    network, x = generator(values), image()
    exact = network(x)
    slope = torch.randn_like(exact)
    parameters = dict(network.named_parameters())
    wanted = torch.autograd.grad(exact, list(parameters.values()), slope)
    with torch.autocast("cpu", torch.bfloat16):
        found = Float32Forward(network)(x)
        assert F.conv2d(x, torch.ones(1, 3, 1, 1)).dtype == torch.bfloat16  # as before
    assert found.dtype == torch.float32
    assert (found - exact).norm() < 2e-3 * exact.norm()
    gradients = torch.autograd.grad(found, list(parameters.values()), slope)
    largest = max(each.norm() for each in wanted)
    compared = 0
    for (key, parameter), one, other in zip(parameters.items(), gradients, wanted, strict=True):
        assert one.dtype == parameter.dtype
        if other.norm() > 1e-4 * largest:  # the rest is rounding alone, as of biases before a norm
            compared += 1
            assert cosine(one, other) > 0.99, key
    assert compared >= len(parameters) / 3


def test_features_are_the_networks_own():
    network, x = generator(GENERATORS[0]), image()
    for one, other in zip(Float32Forward(network).encode(x), network.encode(x), strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-3)


def test_weights_that_are_computed_are_not_kept():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, 3, 3, 3))
            self.scale = 1.0

        def forward(self, x):
            return F.conv2d(x, self.weight * self.scale)

    network = Scaled()
    played, x = Float32Forward(network), image()
    assert not played._weights
    for scale in (1.0, 2.0, 3.0):
        network.scale = scale
        assert torch.allclose(played(x), network(x), rtol=1e-5, atol=1e-5)
    assert not played._weights


@pytest.mark.usefixtures("products")
def test_what_is_not_finite_stays_seen():
    x = image()
    x[0, 0, 5, 5] = torch.nan
    network = generator(GENERATORS[0])
    out = Float32Forward(network)(x)
    out.sum().backward()
    assert not any(torch.isfinite(parameter.grad).all() for parameter in network.blocks.parameters())


def test_convolutions_of_every_kind():
    torch.manual_seed(0)
    for layer in (nn.Conv2d(8, 4, 3, stride=2, padding=1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 3, bias=False),
                  nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1),
                  nn.ConvTranspose2d(8, 8, 4, stride=2, groups=8), nn.Conv2d(8, 4, 3, dilation=2)):
        x = torch.randn(2, 8, 12, 12, requires_grad=True)
        wanted, found = layer(x), Float32Forward(layer)(x)
        assert torch.allclose(found, wanted, atol=1e-5)
        slope = torch.randn_like(wanted)
        leaves = [x, *layer.parameters()]
        for one, other in zip(torch.autograd.grad(found, leaves, slope), torch.autograd.grad(wanted, leaves, slope),
                              strict=True):
            assert cosine(one, other) > 0.999
