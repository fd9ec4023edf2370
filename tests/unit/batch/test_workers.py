"""What `--workers` and `--gpus-per-worker` may say."""

import pytest

from translate.batch.executor import engine_of_workers
from translate.batch.workers import Workers, parse_workers
from translate.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, Workers()), ("4", Workers(4, 4)), ("2-16", Workers(2, 16)), ("3-3", Workers(3, 3))],
)
def test_a_number_or_bounds(text, expected):
    assert parse_workers(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "0-4", "5-2", "2-", "two", "1.5", "2 - 4", "1-2-3"])
def test_what_is_neither_is_refused(text):
    with pytest.raises(UsageError, match=r"--workers must be a number of at least 1, or .* the lower one first; got"):
        parse_workers(text)


@pytest.mark.parametrize("gpus", [-1.0, float("nan"), float("inf"), 1.5])
def test_impossible_gpus(gpus):
    with pytest.raises(UsageError, match="--gpus-per-worker must be"):
        parse_workers("2", gpus)


def test_what_one_process_cannot_give():
    asked = [parse_workers(*each).are_several for each in ((None,), ("1",), ("1-4",), ("2",), (None, 0.5))]
    assert asked == [False, False, True, True, True]


def test_gpus_for_workers_need_workers_on_ray():
    with pytest.raises(UsageError, match="the local executor takes the GPU that is here"):
        engine_of_workers("local", Workers(gpus_each=1), "auto")
    with pytest.raises(UsageError, match="only if they ask for one: add --gpus-per-worker 1"):
        engine_of_workers("ray", Workers(), "cuda")


def test_without_ray_this_machine_decides():
    assert engine_of_workers("auto", Workers(), "cuda") == ("cuda", None)
    assert engine_of_workers("local", Workers(1, 1), "auto") == ("auto", None)
