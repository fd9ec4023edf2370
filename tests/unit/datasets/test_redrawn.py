"""Redrawn paintings: with the real teachers, on pictures made here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.datasets.test_painted import put
from tests.unit.datasets.test_teacher import scene
from translate.datasets.folder import image_keys, read_pixels
from translate.datasets.redrawn import SIDE_PX, colour_move, open_redrawer, prepare, redraw
from translate.errors import DataError
from translate.images.lab import move_colours
from translate.stores import open_store


def laplacian(pixels):
    return np.abs(cv2.Laplacian(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.CV_32F)).mean()


def lab(pixels):
    return cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def test_grain_goes_and_the_scene_stays():
    pixels = scene(96, 128, 0)
    redrawn = redraw(open_redrawer(), pixels)
    assert redrawn.shape == pixels.shape
    assert laplacian(redrawn) < laplacian(pixels) / 2
    assert np.corrcoef(cv2.blur(redrawn, (8, 8)).ravel(), cv2.blur(pixels, (8, 8)).ravel())[0, 1] > 0.95


def test_colours_go_half_way():
    loud = scene(200, 260, 1)
    quiet = move_colours(loud, 0.5, 1.0)
    chroma, contrast = colour_move([loud], [quiet])
    assert chroma == pytest.approx(0.75, abs=0.02)
    assert contrast == pytest.approx(1.0, abs=0.02)
    moved = lab(move_colours(loud, chroma, contrast))
    assert moved[..., 2].std() == pytest.approx(0.75 * lab(loud)[..., 2].std(), rel=0.1)
    grey = np.full((8, 8, 3), 128, dtype=np.uint8)
    assert np.ptp(move_colours(grey, 0.5, 1.3).astype(int), axis=2).max() <= 1


def test_every_painting_and_painted_photograph_has_its_answer():
    photos, paintings, into = (open_store(f"memory://redrawn-{name}") for name in ("photos", "paintings", "out"))
    put(photos, "field.png", scene(420, 640, 4))
    put(paintings, "hay.png", scene(400, 400, 5)[::-1].copy())
    counts = prepare(photos, paintings, into, seed=1)
    # 320 px square: one tile; 448: two by two; three squares of a wide photograph, the middle one painted
    assert counts == {"trainA": 1 + 9 + 1, "answersA": 11, "trainB": 3, "testA": 0, "testB": 0}
    assert image_keys(into, "trainA").keys() == image_keys(into, "answersA").keys()
    assert np.array_equal(read_pixels(into, "answersA/photo_field.png"), read_pixels(into, "trainB/field_1.png"))
    for name in ("photo_field", "canvas_hay_448_0_128"):
        before, answer = (read_pixels(into, f"{folder}/{name}.png") for folder in ("trainA", "answersA"))
        assert before.shape == answer.shape == (SIDE_PX, SIDE_PX, 3)
        assert not np.array_equal(before, answer)
    attribution = into.get("ATTRIBUTION.md").data.decode()
    assert "Real-ESRGAN x4plus (BSD-3-Clause, Xintao Wang)" in attribution
    with pytest.raises(DataError, match="no images"):
        prepare(open_store("memory://redrawn-nothing"), paintings, into)
