"""Large pictures in a run: done in parts and noted so, by what the plan fixed."""

from __future__ import annotations

import numpy as np
import pytest
from jobs import fill, make_job, picture, publish_tiny

from translate.batch.run import prepare, run
from translate.engines import sizes
from translate.images.codec import decode
from translate.progress import silent
from translate.records.history import read_ledger, read_plan, run_names
from translate.stores import open_store
from translate.stores.patience import never

HEIGHT, WIDTH = 560, 500


@pytest.fixture
def stores(request):
    """An input of a large picture and small ones, and an output."""
    name = f"large-{request.node.name}"
    source = open_store(f"memory://{name}/in/")
    fill(source, 3)
    source.put("wide.png", picture(9, HEIGHT, WIDTH))
    assert HEIGHT * WIDTH > sizes.LEAST_WHOLE_PX
    return source, open_store(f"memory://{name}/out/")


def notes_of(output) -> dict[str, tuple[str, ...]]:
    (name,) = run_names(output)
    return {entry.key: entry.notes for _, entries in read_ledger(output, name) for entry in entries}


@pytest.mark.parametrize(("memory_bytes", "note"), [(2**31, "in_parts"), (2**30, "approximate")])
def test_what_does_not_fit_whole_is_done_in_parts(stores, tmp_path, monkeypatch, memory_bytes, note):
    registry = publish_tiny(tmp_path)
    whole = open_store(stores[1].url.replace("/out/", "/whole/"))
    for output, free_bytes in ((whole, 2**40), (stores[1], memory_bytes)):
        monkeypatch.setattr(sizes, "available_bytes", lambda free_bytes=free_bytes: free_bytes)
        monkeypatch.setattr(sizes, "WHOLE_SHARE", 0.001)
        prepared = prepare(make_job(stores[0], output, registry, choice="torch-float32"))
        assert run(prepared, "local", 1, silent, never).summary.ok == 4
    assert {key: notes for key, notes in notes_of(stores[1]).items() if notes} == {"wide.png": (note,)}
    assert set(notes_of(whole).values()) == {()}
    there, here = (decode(store.get("wide.png").data).pixels.astype(int) for store in (whole, stores[1]))
    assert np.abs(there - here).max() <= (1 if note == "in_parts" else 30)


def test_a_run_is_gone_on_with_as_it_was_planned_though_there_is_other_memory(stores, tmp_path, monkeypatch):
    job = make_job(*stores, publish_tiny(tmp_path), choice="torch-float32")
    monkeypatch.setattr(sizes, "available_bytes", lambda: 2**31)
    first = prepare(job)
    assert run(first, "local", 1, silent, lambda: True).summary is None
    monkeypatch.setattr(sizes, "available_bytes", lambda: 2**40)
    (name,) = run_names(stores[1])
    again = prepare(job)
    assert again.task.sizes == first.task.sizes == read_plan(stores[1], name).sizes
    assert again.task.sizes != prepare(make_job(*stores, job.registry_url, choice="torch-float32", limit=1)).task.sizes
