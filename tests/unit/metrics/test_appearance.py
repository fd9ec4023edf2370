"""Sharpness, brightness and colour, against values worked by hand, and on the shipped photographs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.images.resize import resize
from translate.images.tensors import to_channels, to_tensor
from translate.metrics.appearance import brightness, chroma, correlation, ratio_of_means, sharpness
from translate.metrics.contract import Seen, measures_of
from translate.shipped import shipped_folder
from translate.stores import open_store

SIDE = 128


@pytest.fixture(scope="module")
def photos():
    """(6, 3, 128, 128) in [0, 1]."""
    store = open_store(str(shipped_folder("samples")))
    squares = (centre_square(read_pixels(store, key)) for key in image_keys(store, "photos").values())
    return (torch.stack([to_tensor(resize(square, SIDE, SIDE)) for square in squares]) + 1) / 2


def plain(*rgb, side=4):
    return torch.tensor(rgb).view(1, 3, 1, 1).expand(1, 3, side, side)


def figures(outputs, others):
    """Every measure of (N, 3, H, W) against others of the same shape."""
    found = {}
    for each in measures_of("appearance"):
        seen, other = ([Seen(2 * image.unsqueeze(0) - 1, None) for image in images] for images in (outputs, others))
        if hasattr(each, "row"):
            found[each.name] = each.value(*(torch.cat([each.row(image) for image in images])
                                            for images in (seen, other)))
        else:
            found[each.name] = sum(float(each.value(*pair)) for pair in zip(seen, other, strict=True)) / len(seen)
    return found


class TestSharpness:
    def test_by_hand(self):
        # A single white pixel in 5 x 5: of the 9 inner ones the middle has |0 - 4|, its four neighbours 1, corners 0.
        x = torch.zeros(1, 3, 5, 5)
        x[..., 2, 2] = 1
        assert sharpness(x).item() == pytest.approx(255 * (4 + 4 * 1) / 9)
        # Columns black and white in turn: 2 everywhere. A ramp has no curvature.
        stripes = (torch.arange(8) % 2).float().expand(1, 3, 8, 8)
        assert sharpness(stripes).item() == pytest.approx(510)
        assert sharpness(torch.linspace(0, 1, 8).expand(1, 3, 8, 8)).item() == pytest.approx(0, abs=1e-3)

    def test_blur_lowers_it_and_noise_raises_it(self, photos):
        blurred = F.avg_pool2d(F.pad(photos, (1, 1, 1, 1), mode="reflect"), 3, 1)
        noisy = photos + 0.05 * torch.randn(photos.shape, generator=torch.Generator().manual_seed(0))
        assert (sharpness(blurred) < 0.5 * sharpness(photos)).all()
        assert (sharpness(noisy) > 1.2 * sharpness(photos)).all()


class TestBrightness:
    def test_by_hand(self):
        assert brightness(plain(1.0, 0.0, 0.0)).item() == pytest.approx(255 * 0.299)
        assert brightness(plain(0.5, 0.5, 0.5)).item() == pytest.approx(127.5)

    def test_change_is_of_each_image(self):
        """One brighter by 51 levels, one darker by as much: 51 on average, and not 0."""
        inputs = torch.cat([plain(0.4, 0.4, 0.4), plain(0.6, 0.6, 0.6)])
        found = figures(inputs.flip(0), inputs)
        assert found["brightness_change_levels"] == pytest.approx(51, rel=1e-4)
        assert found["brightness_correlation"] == pytest.approx(-1)

    def test_correlation_by_hand(self):
        # deviations -1.5 -0.5 0.5 1.5 and -1.5 0.5 -0.5 1.5: (2.25 - 0.25 - 0.25 + 2.25) / 5
        assert correlation(torch.tensor([0.0, 1, 2, 3]), torch.tensor([0.0, 2, 1, 3])) == pytest.approx(0.8)
        assert correlation(torch.tensor([5.0, 5, 5]), torch.tensor([1.0, 2, 3])) == 0

    def test_one_brightness_for_all_is_seen(self, photos):
        levelled = photos - photos.mean(dim=(1, 2, 3), keepdim=True) + 0.5
        assert abs(figures(levelled, photos)["brightness_correlation"]) < 0.9
        assert figures(0.7 * photos + 0.1, photos)["brightness_correlation"] == pytest.approx(1)


class TestChroma:
    @pytest.mark.parametrize(("rgb", "expected"), [
        ((1.0, 0.0, 0.0), 104.55), ((0.0, 1.0, 0.0), 119.78), ((0.0, 0.0, 1.0), 133.81),  # Lindbloom's calculator
        ((1.0, 1.0, 1.0), 0.0), ((0.0, 0.0, 0.0), 0.0), ((0.5, 0.5, 0.5), 0.0),
    ])
    def test_of_colours_that_are_known(self, rgb, expected):
        assert chroma(plain(*rgb)).item() == pytest.approx(expected, abs=0.02)

    def test_is_the_mean_over_pixels(self):
        half_red = torch.cat([plain(1.0, 0.0, 0.0), plain(1.0, 1.0, 1.0)], dim=-1)
        assert chroma(half_red).item() == pytest.approx(104.55 / 2, abs=0.02)

    def test_faded_pictures_have_less(self, photos):
        faded = 0.5 * photos + 0.5 * to_channels(photos, 1)
        found = figures(faded, photos)
        assert 0.4 < found["chroma_kept"] == found["chroma_ratio"] < 0.6

    def test_grey_is_as_grey_as_grey(self, photos):
        grey = to_channels(to_channels(photos, 1), 3)
        assert figures(grey, grey)["chroma_ratio"] == 1
        assert figures(photos, grey)["chroma_ratio"] == pytest.approx(float(chroma(photos).mean()), rel=1e-5)


def test_ratio_of_means_by_hand():
    assert ratio_of_means(torch.tensor([6.0, 10.0]), torch.tensor([16.0])) == 0.5
    assert ratio_of_means(torch.tensor([0.5]), torch.tensor([4.0])) == 0.25
    assert ratio_of_means(torch.tensor([0.0]), torch.tensor([0.0])) == 1


def test_the_same_pictures_are_as_sharp_as_bright_and_as_colourful(photos):
    assert figures(photos, photos) == pytest.approx({
        "sharpness_ratio": 1, "chroma_ratio": 1, "chroma_kept": 1, "brightness_correlation": 1,
        "brightness_change_levels": 0})


@pytest.mark.parametrize("measure", [sharpness, brightness, chroma])
def test_a_batch_gives_what_single_images_give(measure, photos):
    alone = [measure(image[None]).item() for image in photos]
    assert measure(photos).tolist() == pytest.approx(alone, rel=1e-5)
