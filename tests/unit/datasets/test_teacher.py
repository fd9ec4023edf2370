"""The style-transfer teacher: the real one, on pictures made here."""

from __future__ import annotations

import numpy as np
import pytest

from translate.datasets.teacher import SIDE_PX, Teacher, crops, mix_chroma
from translate.images.tensors import LUMA


def scene(height, width, seed):
    """Sky, land and grain: enough structure for the teacher to paint."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height)[:, None]
    image = np.where(rows[..., None] < 0.5, [120, 160, 220], [90, 120, 60]) * (0.6 + 0.4 * rows[..., None])
    noise = rng.normal(0, 12, (height, width, 1))
    return np.clip(np.broadcast_to(image, (height, width, 3)) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def teacher():
    return Teacher()


def test_chroma_is_mixed_and_luma_is_the_paintings():
    rng = np.random.default_rng(0)
    painted, photo = (rng.random((5, 6, 3), dtype=np.float32) for _ in range(2))
    luma = np.array(LUMA, dtype=np.float32)
    for share in (0.0, 0.4, 1.0):
        assert np.allclose(mix_chroma(painted, photo, share) @ luma, painted @ luma, atol=1e-6)
    assert np.allclose(mix_chroma(painted, photo, 0.0), painted, atol=1e-6)
    grey = np.full_like(photo, 0.5)
    assert np.allclose(mix_chroma(painted, grey, 1.0).std(axis=-1), 0, atol=1e-6)


def test_a_wide_photograph_gives_three_squares_and_a_square_one_gives_one():
    wide = crops(scene(400, 600, 0))
    assert [c.shape for c in wide] == [(SIDE_PX, SIDE_PX, 3)] * 3
    assert len(crops(scene(500, 500, 0))) == 1
    assert len(crops(scene(600, 400, 0))) == 1


def test_the_teacher_paints_and_repeats_itself(teacher):
    photo, painting = scene(SIDE_PX, SIDE_PX, 2), scene(300, 420, 3)[:, :, ::-1].copy()
    style = teacher.style(painting)
    assert style.shape == (1, 1, 1, 100)
    painted = teacher.paint(photo, style, photo_chroma=0.5)
    assert painted.shape == photo.shape
    assert np.abs(painted.astype(int) - photo).mean() > 3
    assert np.array_equal(painted, teacher.paint(photo, style, photo_chroma=0.5))
