"""A program that uses `translate` as a library: mypy reads it strictly, and a test runs it."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING, assert_type

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import translate
from translate import ImageTranslator, load_translator

if TYPE_CHECKING:
    from pathlib import Path

    from translate.progress import Progress

Pixels = NDArray[np.uint8]


def kinds(translator: ImageTranslator, file: Path) -> None:
    """Each kind of picture comes back as what it was."""
    pixels = assert_type(translator(file), Pixels)
    assert_type(translator(str(file)), Pixels)
    assert_type(translator(pixels), Pixels)
    assert_type(translator(Image.fromarray(pixels)), Image.Image)
    assert_type(translator(torch.zeros(2, 3, 8, 8)), torch.Tensor)
    assert_type(translator(file.read_bytes()), bytes)
    assert_type(translator(io.BytesIO(file.read_bytes())), io.BytesIO)


def batches(translator: ImageTranslator, file: Path) -> None:
    """A list is a batch, and `map` takes whatever gives pictures."""
    assert_type(translator([file, file]), list[Pixels])
    assert_type(translator([file.read_bytes()]), list[bytes])
    assert_type(translator([Image.open(file)]), list[Image.Image])

    def show(state: Progress) -> None:
        assert state.done <= (state.total or state.done)

    for pixels in translator.map([file, file], progress=show):
        assert_type(pixels, Pixels)
    assert len(list(translator.map(path.read_bytes() for path in (file, file)))) == 2


async def in_a_coroutine(translator: ImageTranslator, file: Path) -> Pixels:
    """Other tasks go on meanwhile."""
    return assert_type(await asyncio.to_thread(translator, file), Pixels)


def main(registry: str, file: Path, folder: Path) -> None:
    """All of it; ``registry`` holds the model ``tiny``, ``file`` is a picture."""
    translator = load_translator("tiny", registry=registry, size="native", device=torch.device("cpu"))
    kinds(translator, file)
    batches(translator, file)
    asyncio.run(in_a_coroutine(translator, file))
    assert_type(translator.multiple, int)
    assert_type(translator.domains.a, str)
    exported = translate.export_model("tiny", "torchscript", folder, registry=registry)
    assert exported.path.is_file()
