"""What discriminators are shown: changed alike in every tensor, each image in its own way, with gradients."""

import pytest
import torch

from translate.objectives import _diffaugment
from translate.objectives._diffaugment import diff_augment

KINDS = ("colour", "translation", "cutout")


@pytest.fixture
def images():
    return torch.rand(6, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def test_without_kinds_the_images_themselves_return(images):
    state = torch.get_rng_state()
    assert diff_augment([images], ())[0] is images
    assert torch.equal(torch.get_rng_state(), state), "it drew though nothing was asked for"


@pytest.mark.parametrize("kind", KINDS)
def test_every_tensor_is_changed_alike_and_every_image_in_its_own_way(images, kind):
    one, other = diff_augment([images, images.clone()], [kind])
    assert torch.equal(one, other)
    assert one.shape == images.shape
    same, again = diff_augment([images[:1].expand(6, -1, -1, -1)], [kind])[0], diff_augment([images], [kind])[0]
    assert len(same.flatten(1).unique(dim=0)) > 1
    assert not torch.equal(one, again)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_through(images, kind):
    x = images.requires_grad_()
    diff_augment([x], [kind])[0].square().sum().backward()
    reached = (x.grad != 0).float().mean()
    assert reached > (0.7 if kind != "cutout" else 0.5)


def test_colour_by_hand(monkeypatch):
    """Brightness +0.25, saturation x 1.5, contrast x 1: draws of 0.75, 0.75, 0.5."""
    draws = torch.tensor([0.75, 0.75, 0.5]).view(3, 1, 1, 1, 1)
    monkeypatch.setattr(_diffaugment.torch, "rand", lambda *_, **__: draws)
    pixel = torch.tensor([0.1, 0.2, 0.6]).view(1, 3, 1, 1)
    (out,) = diff_augment([pixel], ["colour"])
    # brighter: .35 .45 .85, grey .55; saturated: .55 - .3, .55 - .15, .55 + .45
    assert out.flatten().tolist() == pytest.approx([0.25, 0.40, 1.00])


def test_contrast_by_hand(monkeypatch):
    draws = torch.tensor([0.5, 0.5, 0.0]).view(3, 1, 1, 1, 1)  # nothing, nothing, half the contrast
    monkeypatch.setattr(_diffaugment.torch, "rand", lambda *_, **__: draws)
    (out,) = diff_augment([torch.tensor([[[[0.0, 0.4]]]])], ["colour"])
    assert out.flatten().tolist() == pytest.approx([0.1, 0.3])


def test_translation_moves_whole_pixels_and_uncovers_grey(images):
    (out,) = diff_augment([images], ["translation"])
    for before, after in zip(images, out, strict=True):
        found = []
        for down in range(-2, 3):  # an eighth of 16 and of 24
            for right in range(-3, 4):
                moved = torch.zeros_like(before)
                moved[:, max(down, 0) : 16 + min(down, 0), max(right, 0) : 24 + min(right, 0)] = before[
                    :, max(-down, 0) : 16 - max(down, 0), max(-right, 0) : 24 - max(right, 0)]
                found.append(torch.equal(moved, after))
        assert sum(found) == 1


def test_cutout_takes_a_rectangle_of_half_the_sides():
    (out,) = diff_augment([torch.ones(64, 1, 16, 24)], ["cutout"])
    assert set(out.unique().tolist()) == {0.0, 1.0}
    cut = (1 - out).sum(dim=(1, 2, 3))
    assert cut.max() == 8 * 12
    assert cut.min() >= 4 * 6  # its centre lies in the image, so at least a quarter does
    assert len(cut.unique()) > 5
