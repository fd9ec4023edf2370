import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.images.tensors import crop_back, pad_to_multiple, to_channels, to_pixels, to_tensor

RNG = np.random.default_rng(5)
LEVELS = np.arange(256, dtype=np.uint8)


def test_every_level_is_what_the_reference_projects_compute():
    levels = np.arange(256, dtype=np.uint8)[None]
    expected = torch.from_numpy(levels).to(torch.float32).div(255).sub(0.5).div(0.5)
    found = to_tensor(levels)
    assert torch.equal(found[0], expected)
    assert found.is_contiguous()


def test_every_level_comes_back():
    pixels = np.stack([LEVELS, LEVELS[::-1], np.roll(LEVELS, 7)], axis=-1)[None]
    tensor = to_tensor(pixels)
    assert (tensor.shape, tensor.dtype) == ((3, 1, 256), torch.float32)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    back = to_pixels(tensor)
    np.testing.assert_array_equal(back, pixels)
    assert back.flags.c_contiguous


def test_tensor_does_not_share_memory():
    pixels = np.zeros((2, 2, 3), np.uint8)
    tensor = to_tensor(pixels)
    pixels[:] = 255
    assert (tensor == -1).all()


def test_rounding_and_truncation():
    halves = torch.tensor([10.0, 10.4, 10.6, 255.0]).div(127.5).sub(1).expand(3, 1, 4)
    assert to_pixels(halves)[0, :, 0].tolist() == [10, 10, 11, 255]
    assert to_pixels(halves, rounding="truncate")[0, 1:, 0].tolist() == [10, 10, 255]


def test_truncation_is_the_references_arithmetic():
    tensor = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(1)) * 2 - 1
    reference = ((np.transpose(tensor.numpy(), (1, 2, 0)) + 1) / 2.0 * 255.0).astype(np.uint8)
    np.testing.assert_array_equal(to_pixels(tensor, rounding="truncate"), reference)


def test_values_beyond_the_range_are_clamped():
    assert to_pixels(torch.tensor([-3.0, 3.0]).expand(3, 1, 2))[0, :, 0].tolist() == [0, 255]


def test_one_channel_is_repeated():
    grey = RNG.integers(0, 256, (4, 5), dtype=np.uint8)
    np.testing.assert_array_equal(to_pixels(to_tensor(grey)), np.repeat(grey[..., None], 3, axis=-1))


def test_luma_is_that_of_grey_files():
    pixels = RNG.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    luma = to_pixels(to_channels(to_tensor(pixels), 1))[..., 0]
    expected = pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - expected).max() <= 0.51


def test_channels():
    color = torch.rand(2, 3, 4, 5)
    assert to_channels(color, 3) is color
    assert to_channels(color, 1).shape == (2, 1, 4, 5)
    assert torch.equal(to_channels(color[:, :1], 3), color[:, :1].repeat(1, 3, 1, 1))
    with pytest.raises(ValueError, match="4 channels into 1"):
        to_channels(torch.zeros(4, 2, 2), 1)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 4, 16, 64]), st.sampled_from([1, 8, 30]))
@settings(deadline=None, max_examples=100)
def test_padding_fits_and_comes_back(height, width, multiple, minimum):
    x = torch.rand(1, 2, height, width)
    padded, crop = pad_to_multiple(x, multiple, minimum)
    for side, original in zip(padded.shape[-2:], (height, width), strict=True):
        assert side % multiple == 0
        assert side >= max(original, minimum)
        assert side < max(original, minimum) + multiple
    assert torch.equal(crop_back(padded, crop), x)


def test_padding_reflects_and_repeats_where_too_short():
    padded, _ = pad_to_multiple(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 5)
    assert padded[0, 0, 2].tolist() == [2, 1, 2, 3, 2]
    assert (padded == padded[:, :, :1]).all()


def test_nothing_to_pad_is_the_same_tensor():
    x = torch.rand(1, 3, 8, 16)
    padded, crop = pad_to_multiple(x, 8, 8)
    assert padded is x
    assert crop_back(padded, crop).shape == x.shape
