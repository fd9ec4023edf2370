"""Padding by reflection: the pixels of torch's, in the number format that they have."""

import pytest
import torch
from torch import nn

from translate.models.reflect import ReflectedConv2d, pad


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_under_autocast_the_number_format_stays(mode):
    x = torch.randn(2, 3, 6, 5, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        found = pad(x, (1, 2, 3, 4), mode)
        assert torch.is_autocast_enabled("cpu")
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, nn.functional.pad(x, (1, 2, 3, 4), mode=mode))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_convolution_is_torchs(dtype, layout):
    """In bfloat16 as within a network under autocast: what goes back to border pixels is rounded once more."""
    ours = ReflectedConv2d(3, 4, 7)
    torchs = nn.Conv2d(3, 4, 7, padding=3, padding_mode="reflect")
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 9, 8).to(dtype, memory_format=layout).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        found, expected = ours(x), torchs(x)
    assert found.dtype == dtype
    assert torch.equal(found, expected)
    own, other = (torch.autograd.grad(y.sum(), [x, *network.parameters()])
                  for y, network in ((found, ours), (expected, torchs)))
    assert all(torch.equal(one, two) for one, two in zip(own[1:], other[1:], strict=True))
    assert torch.allclose(own[0], other[0], rtol=torch.finfo(dtype).eps, atol=4 * torch.finfo(dtype).eps)
