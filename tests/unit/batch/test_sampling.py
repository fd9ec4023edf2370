"""A few of a job's images: how many there are, the first, and a spread of all, whatever else lies there."""

import numpy as np
import pytest
from jobs import fill, make_job

from translate.batch import sampling
from translate.provenance import Work
from translate.stores import open_store

WORK = Work(model="m", model_digest="", size=16, format="keep", quality=92, pixels="exact", engine="")


@pytest.fixture
def source(request):
    store = open_store(f"memory://sampling-{request.node.name}/in/")
    fill(store, 30)
    store.put("readme.txt", b"no image")
    store.put("_translate/x.png", b"ours")
    store.put("a-broken.png", b"no image either")
    return store


def job_of(source, **changes):
    return make_job(source, open_store("memory://sampling-nowhere/"), "", **changes)


@pytest.mark.parametrize(("changes", "count"), [
    ({}, 31), ({"limit": 4}, 4), ({"sample": 5}, 5), ({"include": ("set0/*",)}, 10), ({"keys": ("set0/0000.png",)}, 1),
])
def test_count(source, changes, count):
    job = job_of(source, **changes)
    assert sampling.count_images(job.source, job.selection) == count


def test_count_stops(source, monkeypatch):
    monkeypatch.setattr(sampling, "COUNTED", 7)
    job = job_of(source)
    assert sampling.count_images(job.source, job.selection) == 7


def test_the_first_at_the_working_size_without_what_is_no_image(source):
    found = sampling.first_images(job_of(source, include=("*",)), WORK)
    assert [pixels.shape for pixels in found] == [(16, 21, 3)] * sampling.MEASURED


def test_shipped_ones_where_none_can_be_read(source):
    found = sampling.first_images(job_of(source, include=("a-broken.png",)), WORK)
    assert [min(pixels.shape[:2]) for pixels in found] == [16] * sampling.MEASURED


def test_a_spread(source, monkeypatch):
    monkeypatch.setattr(sampling, "TRIED", 2)
    looked_at = []
    job = job_of(source)
    get = job.source.get
    monkeypatch.setattr(job.source, "get", lambda key: (looked_at.append(key), get(key))[1])
    found = sampling.spread_images(job, WORK, 3)
    assert len(found) == 3
    keys = [info.key for info in source.list()]
    places = sorted(keys.index(key) for key in looked_at)
    assert places[-1] - places[0] > 15, "all from one end"
    assert len({pixels.tobytes() for pixels in found}) == 3
    assert all(pixels.dtype == np.uint8 for pixels in found)
