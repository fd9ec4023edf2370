"""Memory in hand: never more than there is, one after the other, and the largest alone."""

import threading
import time

from translate.translation.allowance import Allowance


def holding(allowance: Allowance, size_bytes: int) -> tuple[threading.Thread, threading.Event, threading.Event]:
    """A thread that asks for so many bytes; an event when it has them, and one that lets it go."""
    has, go = threading.Event(), threading.Event()

    def run() -> None:
        with allowance.hold(size_bytes):
            has.set()
            go.wait(10)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, has, go


def wait_for_line(allowance: Allowance, length: int) -> None:
    until_s = time.monotonic() + 10
    while len(allowance._line) != length:
        assert time.monotonic() < until_s
        time.sleep(0.001)


def test_who_needs_more_than_is_left_waits_and_nobody_overtakes():
    allowance = Allowance(10)
    first, has_first, let_first = holding(allowance, 6)
    assert has_first.wait(10)
    large, has_large, let_large = holding(allowance, 10)
    wait_for_line(allowance, 1)
    small, has_small, let_small = holding(allowance, 4)  # would fit beside the first
    wait_for_line(allowance, 2)
    assert not has_large.is_set()
    assert not has_small.is_set(), "or the large one might never get its turn"
    let_first.set()
    assert has_large.wait(10)
    assert not has_small.is_set()
    let_large.set()
    assert has_small.wait(10)
    let_small.set()
    for thread in (first, large, small):
        thread.join(10)


def test_more_than_there_is_at_all_is_held_alone():
    allowance = Allowance(10)
    with allowance.hold(10**12):
        small, has_small, let_small = holding(allowance, 0)
        wait_for_line(allowance, 1)
        assert not has_small.is_set()
    assert has_small.wait(10)
    let_small.set()
    small.join(10)


def test_what_ends_by_an_error_is_given_back():
    allowance = Allowance(10)
    for _ in range(3):
        try:
            with allowance.hold(8):
                raise KeyError
        except KeyError:
            pass
    assert allowance._held == 0
