"""Where the job of several workers comes from."""

import sys

import pytest

from translate.errors import UsageError
from translate.training.workers import find_trainer


def test_the_job_is_found():
    from pipelines.train import train

    assert find_trainer() is train


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "pipelines.train", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # what Python itself writes for a module that must not be found
    with pytest.raises(UsageError, match=r"pip install 'translate-images\[ray\]'.* no 'ray'"):
        find_trainer()
