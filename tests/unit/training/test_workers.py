"""Where the job of several workers comes from."""

import sys

import pytest

from translate.errors import UsageError
from translate.training.loop import train as train_alone
from translate.training.workers import find_train, refuse_gpu


def test_the_job_is_found():
    from pipelines.train import train

    found = find_train(2, "auto")
    assert (found.func, found.args) == (train, (2,))


def test_without_workers_it_is_this_process():
    found = find_train(None, "cpu")
    assert (found.func, found.keywords) == (train_alone, {"device": "cpu"})


def test_workers_have_no_gpu():
    with pytest.raises(UsageError, match="--workers trains on processors; leave out --device cuda, or --workers"):
        refuse_gpu(2, "cuda")
    refuse_gpu(None, "cuda")


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "pipelines.train", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # what Python itself writes for a module that must not be found
    with pytest.raises(UsageError, match=r"pip install 'translate-images\[ray\]'.* no 'ray'"):
        find_train(2, "auto")
