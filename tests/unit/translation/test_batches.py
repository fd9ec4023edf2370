"""Images that come at the same time share calls of an engine that gains from it, and each gets its own result."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch

from translate.translation.batches import Batches

MOST = 4
HELD_S = 20
"""A test that hangs fails after this."""
WIDE, HIGH = (3, 8, 16), (3, 16, 8)


class Engine:
    """Doubles images, notes its calls, and is busy with the first one until it is released."""

    def __init__(self, fails=lambda _: None) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.fails = fails
        self.batches = Batches(self.run, MOST)
        self._began, self._released = threading.Event(), threading.Event()

    def run(self, x):
        first = not self.calls
        self.calls.append(tuple(x.shape))
        if first:
            self._began.set()
            assert self._released.wait(HELD_S)
        self.fails(x)
        return 2 * x

    @contextmanager
    def busy(self, waiting):
        """Inside, the engine computes a first image until so many others wait for it."""
        with ThreadPoolExecutor(1) as thread:
            first = thread.submit(self.batches.translate, image(0, (3, 4, 4)))
            assert self._began.wait(HELD_S)
            yield
            until = time.monotonic() + HELD_S
            while sum(map(len, list(self.batches._waiting.values()))) < waiting:
                assert time.monotonic() < until
                time.sleep(0.001)
            self._released.set()
            first.result(HELD_S)


def image(number, shape=WIDE):
    return torch.full(shape, float(number))


def results_of(engine, shapes):
    """What each image of these shapes got, in their order, where all wait for the engine at once; or its exception."""
    with ThreadPoolExecutor(len(shapes)) as threads:
        with engine.busy(len(shapes)):
            futures = [threads.submit(engine.batches.translate, image(number, shape))
                       for number, shape in enumerate(shapes, start=1)]
        return [future.exception(HELD_S) or future.result() for future in futures]


def counts(engine):
    """How many images of which size each call had, but for the first."""
    return Counter((shape[0], shape[1:]) for shape in engine.calls[1:])


def test_those_of_one_size_share_a_call():
    engine = Engine()
    shapes = [WIDE, HIGH] * 4
    found = results_of(engine, shapes)
    assert counts(engine) == {(4, WIDE): 1, (4, HIGH): 1}
    for number, (shape, result) in enumerate(zip(shapes, found, strict=True), start=1):
        assert torch.equal(result, 2 * image(number, shape))


def test_more_than_share_a_call_have_several():
    engine = Engine()
    found = results_of(engine, [WIDE] * 11)
    assert counts(engine) == {(4, WIDE): 2, (3, WIDE): 1}
    assert all(torch.equal(result, 2 * image(number)) for number, result in enumerate(found, start=1))


def test_one_at_hand_goes_alone():
    engine = Engine()
    results_of(engine, [WIDE])
    assert torch.equal(engine.batches.translate(image(7, HIGH)), 2 * image(7, HIGH))
    assert counts(engine) == {(1, WIDE): 1, (1, HIGH): 1}


def test_an_error_reaches_every_caller_of_its_call_and_no_other():
    def fails(x):
        if x.shape[1:] == WIDE:
            raise ValueError("these are too wide")

    engine = Engine(fails)
    found = results_of(engine, [WIDE, HIGH] * 4)
    assert [str(each) for each in found[::2]] == ["these are too wide"] * 4
    assert all(torch.equal(result, 2 * image(number, HIGH)) for number, result in zip((2, 4, 6, 8), found[1::2],
                                                                                     strict=True))
    engine.fails = lambda _: None
    assert torch.equal(engine.batches.translate(image(5)), 2 * image(5)), "the next call works"


def test_an_engine_that_loses_an_image_is_an_error_and_no_endless_wait():
    lossy = Batches(lambda x: x[1:], MOST)
    with pytest.raises(ValueError, match="shorter"):
        lossy.translate(image(1))


def test_what_does_not_fit_together_is_computed_one_at_a_time():
    held, class_of_layer = [], type("Layer", (), {})

    def fails(x):
        assert all(layer() is None for layer in held), "what did not fit is still held"
        if len(x) > 1:
            layer = class_of_layer()  # stands for memory of the device
            held.append(weakref.ref(layer))
            raise torch.OutOfMemoryError("CUDA out of memory")
        if (x == 3).all():
            raise torch.OutOfMemoryError("CUDA out of memory")

    engine = Engine(fails)
    found = results_of(engine, [WIDE] * MOST)
    assert counts(engine) == {(4, WIDE): 1, (1, WIDE): 4}
    assert isinstance(found[2], torch.OutOfMemoryError), "the one that does not fit alone either"
    assert all(torch.equal(found[index], 2 * image(index + 1)) for index in (0, 1, 3))


def test_nothing_is_lost_among_many():
    """The engine is quick, so that images come before, during and after its calls."""
    calls = []

    def run(x):
        calls.append(len(x))
        return 2 * x

    batches = Batches(run, MOST)
    shapes = [WIDE, HIGH, (3, 4, 4)]
    with ThreadPoolExecutor(3 * MOST) as threads:
        found = list(threads.map(lambda n: batches.translate(image(n, shapes[n % 3])), range(3000), timeout=HELD_S))
    assert all(torch.equal(each, 2 * image(number, shapes[number % 3])) for number, each in enumerate(found))
    assert sum(calls) == 3000
    assert max(calls) <= MOST
    assert not batches._waiting
