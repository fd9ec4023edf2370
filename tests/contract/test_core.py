"""The core gives each picture its own pixels, whatever else is being translated: every engine of this processor."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import engine_networks
import numpy as np
import pytest

from translate.engines import sweep
from translate.engines.opening import open_engine
from translate.images.codec import decode
from translate.images.picture import Picture
from translate.provenance import Sizes, Work
from translate.shipped import shipped_folder
from translate.translation.core import Core

THREADS = 8
PICTURES = 500
DIFFERENT = 100
"""Of them; each is translated several times, so that the pixels to compare with cost a fifth."""
SIDES_PX = (24, 160)
WHOLE_PX = 64 * 64
"""Larger ones are translated in parts."""
NETWORK = {"architecture": "resnet", "width": 4, "blocks": 1, "downs": 1}
ENGINES = ["torch-float32", pytest.param("openvino-float32", marks=pytest.mark.skipif(
    find_spec("openvino") is None, reason="OpenVINO is not installed"))]


def cuts():
    """Parts of a shipped photograph, of mixed sizes."""
    file = min((shipped_folder("samples") / "photos").glob("*.jpg"))
    photo, drawn = decode(file.read_bytes()).pixels, random.Random(1)
    for _ in range(DIFFERENT):
        height, width = drawn.randint(*SIDES_PX), drawn.randint(*SIDES_PX)
        top, left = drawn.randint(0, photo.shape[0] - height), drawn.randint(0, photo.shape[1] - width)
        yield Picture(np.ascontiguousarray(photo[top : top + height, left : left + width]), None, "png")


@pytest.mark.parametrize("name", ENGINES)
def test_threads_and_company_change_no_pixel(name, monkeypatch):
    monkeypatch.setattr(sweep, "PART_BYTES", 0)
    monkeypatch.setattr(sweep, "LEAST_PART_PX", 80)  # so that the largest have four parts
    engine = open_engine(name, engine_networks.translator(NETWORK))
    work = Work(model="m", model_digest="", size="native", format="png", quality=92, pixels="exact", engine=name)
    sizes = Sizes(whole_px=WHOLE_PX, sweep_bytes=None)
    pictures = list(cuts())
    alone = Core(engine, work, sizes)
    wanted = [alone.translate(picture) for picture in pictures]
    in_parts = sum("in_parts" in each.notes for each in wanted)
    assert DIFFERENT // 4 < in_parts < DIFFERENT * 3 // 4, "of both kinds"
    order = [index for index in range(DIFFERENT) for _ in range(PICTURES // DIFFERENT)]
    random.Random(2).shuffle(order)
    together = Core(engine, work, sizes)  # which has not made its plan for large pictures yet
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(lambda index: together.translate(pictures[index]), order))
    for index, each in zip(order, found, strict=True):
        assert each.notes == wanted[index].notes
        assert np.array_equal(each.pixels, wanted[index].pixels), pictures[index].pixels.shape
