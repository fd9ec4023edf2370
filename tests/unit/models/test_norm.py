"""Instance norm gives torch's values and gradients in either layout, and its layout back."""

import pytest
import torch
from torch import nn

from translate.models.norm import InstanceNorm2d

SHAPES = [(1, 7, 9, 5), (3, 16, 40, 33), (2, 64, 1, 300)]


def norms(channels, affine):
    ours, theirs = InstanceNorm2d(channels, affine=affine), nn.InstanceNorm2d(channels, affine=affine)
    if affine:
        for norm in (ours, theirs):
            nn.init.uniform_(norm.weight, 0.5, 2, generator=torch.Generator().manual_seed(1))
            nn.init.normal_(norm.bias, generator=torch.Generator().manual_seed(2))
    return ours, theirs


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_are_torchs(shape, affine, layout):
    torch.manual_seed(0)
    x = (5 + 3 * torch.randn(shape)).to(memory_format=layout)
    ours, theirs = norms(shape[1], affine)
    with torch.no_grad():
        found = ours(x)
        assert found.stride() == x.stride()
        assert torch.allclose(found, theirs(x), atol=2e-6)
    slope = torch.randn(shape)
    wanted = gradients(theirs, x.contiguous(), slope)
    for back in (torch.contiguous_format, torch.channels_last):
        for one, other in zip(gradients(ours, x, slope.to(memory_format=back)), wanted, strict=True):
            assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def gradients(norm, x, slope):
    leaves = [x.clone().requires_grad_(), *norm.parameters()]
    return torch.autograd.grad(norm(leaves[0]), leaves, slope)


@pytest.mark.parametrize("affine", [False, True])
def test_the_gradients_gradient_is_torchs(affine):
    """As gradient penalties ask for it."""
    torch.manual_seed(0)
    x, slope = torch.randn(3, 4, 6, 5, dtype=torch.float64), torch.randn(3, 4, 6, 5, dtype=torch.float64)
    found = []
    for norm in norms(4, affine):
        leaves = [x.clone().requires_grad_(), *norm.double().parameters()]
        (first,) = torch.autograd.grad(norm(leaves[0]), leaves[:1], slope, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), leaves[: 1 + affine]))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def test_large_means_cost_no_precision():
    torch.manual_seed(0)
    x = (1000 + torch.randn(1, 8, 700, 500)).to(memory_format=torch.channels_last)
    with torch.no_grad():
        found = InstanceNorm2d(8)(x).double()
    exact = (x.double() - x.double().mean((2, 3), keepdim=True)) / x.double().std((2, 3), correction=0, keepdim=True)
    assert (found - exact).abs().max() < 2e-3


def test_without_gradients_the_number_of_threads_does_not_matter():
    torch.manual_seed(0)
    x = torch.randn(2, 48, 130, 170).bfloat16().to(memory_format=torch.channels_last)
    before = torch.get_num_threads()
    try:
        outputs = []
        for threads in (1, 2, 3, 5, 16):
            torch.set_num_threads(threads)
            with torch.no_grad():
                outputs.append(InstanceNorm2d(48)(x.float()))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(outputs[0], other) for other in outputs)


def test_one_pixel_has_no_variance():
    x = torch.ones(1, 4, 1, 1).to(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        InstanceNorm2d(4)(x)
