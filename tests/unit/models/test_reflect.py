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


@pytest.mark.parametrize("autocast", [False, True])
def test_the_convolution_is_torchs(autocast):
    ours = ReflectedConv2d(3, 4, 7)
    torchs = nn.Conv2d(3, 4, 7, padding=3, padding_mode="reflect")
    torchs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 9, 8)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found, expected = ours(x), torchs(x)
    assert found.dtype == (torch.bfloat16 if autocast else torch.float32)
    assert torch.equal(found, expected)
    for own, other in zip(*(torch.autograd.grad(y.sum(), network.parameters())
                            for y, network in ((found, ours), (expected, torchs))), strict=True):
        assert torch.equal(own, other)
