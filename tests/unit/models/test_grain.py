"""Noise that follows from the image alone, on a real photograph."""

import pytest
import torch

from translate.images.codec import decode
from translate.images.tensors import to_tensor
from translate.models.resnet import GRAIN_REACH_PX, Grain
from translate.shipped import shipped_folder


@pytest.fixture(scope="module")
def sky():
    data = (shipped_folder("samples") / "photos" / "water8.jpg").read_bytes()
    return to_tensor(decode(data).pixels[:64, 100:200])[None]


def test_an_even_sky_gets_noise_without_a_pattern(sky):
    found = Grain(2)(sky)
    assert torch.equal(found[:, :3], sky)
    noise = found[0, 3:]
    assert noise.std() > 0.5
    assert noise.abs().max() <= 1
    power = torch.fft.rfft2(noise[0] - noise[0].mean()).abs().square()
    same = torch.fft.irfft2(power, s=noise.shape[1:])
    assert same.flatten()[1:].abs().max() < 0.2 * same[0, 0]  # unlike itself at any distance
    assert torch.corrcoef(noise.flatten(1))[0, 1].abs() < 0.1


def test_the_same_pixels_have_the_same_noise_wherever_they_lie(sky):
    reach, whole = GRAIN_REACH_PX, Grain(3)(sky)
    part = Grain(3)(sky[..., 10:50, 20:70])
    inside = part[..., reach:-reach, reach:-reach]
    assert torch.allclose(inside, whole[..., 10 + reach : 50 - reach, 20 + reach : 70 - reach], atol=1e-3)


def test_equal_pixels_have_none():
    for plane in Grain(2)(torch.full((1, 3, 20, 20), 0.3))[0, 3:]:
        assert plane.std() < 1e-3


def test_under_autocast_it_is_the_same(sky):
    with torch.autocast("cpu", torch.bfloat16):
        found = Grain(2)(sky)
    assert torch.equal(found, Grain(2)(sky))
