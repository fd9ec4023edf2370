"""Droplets, inversion and collapse, on the shipped photographs."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from translate.datasets.folder import centre_square, image_keys, read_pixels
from translate.images.resize import resize
from translate.images.tensors import to_channels, to_tensor
from translate.metrics.artefacts import droplets, luma_correlation, variety
from translate.shipped import shipped_folder
from translate.stores import open_store

SIDE = 128


@pytest.fixture(scope="module")
def photos():
    """(6, 3, 128, 128) in [0, 1]."""
    store = open_store(str(shipped_folder("samples")))
    squares = (centre_square(read_pixels(store, key)) for key in image_keys(store, "photos").values())
    return (torch.stack([to_tensor(resize(square, SIDE, SIDE)) for square in squares]) + 1) / 2


def dripped(images, count=4):
    """Black blobs where it is bright and white ones where it is dark, of 2 to 4 px radius."""
    generator = torch.Generator().manual_seed(0)
    images = images.clone()
    line = torch.arange(SIDE)
    for image in images:
        for _ in range(count):
            row, column = torch.randint(6, SIDE - 6, (2,), generator=generator)
            radius = 2 + 2 * torch.rand(1, generator=generator)
            disc = (line[:, None] - row) ** 2 + (line - column) ** 2 < radius**2
            image[:, disc] = 0.0 if image[:, disc].mean() > 0.5 else 1.0
    return images


ORDINARY = {
    "darker": lambda x: 0.6 * x,
    "brighter": lambda x: (1.4 * x).clamp(0, 1),
    "more contrast": lambda x: ((x - 0.5) * 1.8 + 0.5).clamp(0, 1),
    "gamma": torch.sqrt,
    "grey": lambda x: to_channels(x, 1),
    "inverted": lambda x: 1 - x,
    "fewer colours": lambda x: (5 * x).round() / 5,
    "blurred": lambda x: F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1),
    "noisy": lambda x: (x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1),
    "strokes": lambda x: torch.where(torch.arange(SIDE)[:, None] % 16 < 4, 0.7 * x, x),
}


class TestDroplets:
    def test_are_seen(self, photos):
        assert (droplets(photos, dripped(photos)) > 0.05).all()
        assert (droplets(photos, dripped(photos, 12)) > droplets(photos, dripped(photos))).all()

    def test_are_seen_in_other_colours_too(self, photos):
        """A third of contrast away, the input's own blobs must still be no alarm."""
        assert (droplets(photos, dripped(0.7 * photos + 0.1)) > 0.05).all()

    @pytest.mark.parametrize("name", ORDINARY)
    def test_ordinary_changes_are_none(self, photos, name):
        assert droplets(photos, ORDINARY[name](photos)).max() < 0.005

    def test_blobs_that_the_input_has_do_not_count(self, photos):
        spotted = dripped(photos)
        assert droplets(spotted, spotted).tolist() == [0.0] * len(photos)
        assert droplets(spotted, photos).max() == 0

    def test_share_of_a_disc(self):
        """A black disc of 3 px radius on white: what is counted is its inside, about 28 of 4,096 pixels."""
        grid = torch.arange(64)
        disc = ((grid[:, None] - 32) ** 2 + (grid - 32) ** 2 < 9).expand(1, 3, 64, 64)
        found = droplets(torch.ones(1, 3, 64, 64), torch.where(disc, 0.0, 1.0)).item()
        assert 0.5 * 28 / 4096 < found / 100 < 2 * 28 / 4096


class TestLumaCorrelation:
    def test_by_hand(self):
        a = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
        b = torch.tensor([[[[0.0, 2.0], [1.0, 3.0]]]])
        # deviations -1.5 -0.5 0.5 1.5 and -1.5 0.5 -0.5 1.5: (2.25 - 0.25 - 0.25 + 2.25) / 5
        assert luma_correlation(a, b).item() == pytest.approx(0.8)

    def test_inverted_colours_are_negative(self, photos):
        x = 2 * photos - 1
        assert luma_correlation(x, -x).tolist() == pytest.approx([-1.0] * len(x), abs=1e-5)
        assert luma_correlation(x, 0.3 * x - 0.2).tolist() == pytest.approx([1.0] * len(x), abs=1e-5)
        assert luma_correlation(x, torch.zeros_like(x)).tolist() == [0.0] * len(x)
        assert luma_correlation(x.bfloat16(), -x.bfloat16()).dtype == torch.float32


class TestVariety:
    def test_as_varied_half_as_varied_and_collapsed(self, photos):
        assert variety(photos, photos) == 1
        assert variety(photos, 1 - photos) == pytest.approx(1, rel=1e-5)
        assert variety(photos, 0.5 * photos) == pytest.approx(0.5, rel=1e-5)
        collapsed = photos[:1].expand_as(photos)
        assert variety(photos, collapsed) == 0
        noise = torch.randn(photos.shape, generator=torch.Generator().manual_seed(0))
        assert variety(photos, collapsed + 0.1 * noise) < 0.1

    def test_is_the_ratio_of_distances_between_pairs(self, photos):
        other = photos.flip(0) ** 2
        distances = [torch.stack([(F.avg_pool2d(a - b, 8) ** 2).sum() for a in x for b in x]).sum().sqrt()
                     for x in (photos, other)]
        assert variety(photos, other) == pytest.approx((distances[1] / distances[0]).item(), rel=1e-4)

    def test_inputs_that_are_alike_say_nothing(self, photos):
        assert math.isnan(variety(photos[:1].expand_as(photos), photos))

    def test_gradients_are_left_alone(self, photos):
        outputs = photos.clone().requires_grad_()
        assert variety(photos, outputs) == 1
        assert not luma_correlation(photos, outputs).requires_grad


def test_order_and_batches_do_not_matter(photos):
    order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))
    made = dripped(photos) ** 1.5
    assert variety(photos[order], made[order]) == pytest.approx(variety(photos, made), rel=1e-12)
    for measure in (droplets, luma_correlation):
        alone = [measure(a[None], b[None]).item() for a, b in zip(photos, made, strict=True)]
        assert measure(photos, made).tolist() == pytest.approx(alone, rel=1e-5)
        assert measure(photos[order], made[order]).tolist() == pytest.approx([alone[i] for i in order], rel=1e-5)
