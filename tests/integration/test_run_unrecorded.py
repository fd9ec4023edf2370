"""Outputs that a dead run of other work wrote and never recorded are found and made again."""

from __future__ import annotations

import pytest
from jobs import contents, fill, make_job, publish_tiny

from translate.batch import run as batch_run
from translate.batch.run import prepare, run
from translate.progress import silent
from translate.stores import open_store

IMAGES = 12


def done(source, output, registry, model, **changes):
    """Run to the end; how many images were done."""
    prepared = prepare(make_job(source, output, registry, model=model, choice="torch-float32", **changes))
    return 0 if prepared.is_empty else run(prepared, "local", 1, silent, lambda: False).totals.ok


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_what_a_dead_run_of_another_model_wrote_is_made_again(tmp_path, monkeypatch, place):
    registry = publish_tiny(tmp_path / "registry", "one", seed=1)
    publish_tiny(tmp_path / "registry", "two", seed=2)
    source = open_store("memory://unrecorded-in")
    output = open_store(f"memory://unrecorded-{place}" if place == "memory" else str(tmp_path / "out"))
    fill(source, IMAGES)
    assert done(source, output, registry, "one") == IMAGES
    wanted = contents(output)

    def die(*_):
        raise RuntimeError("died before anything was recorded")

    with monkeypatch.context() as patch:
        patch.setattr(batch_run, "write_segment", die)
        with pytest.raises(RuntimeError, match="before anything"):
            done(source, output, registry, "two", overwrite="stale")
    spoiled = {key for key, data in contents(output).items() if data != wanted[key]}
    assert spoiled
    assert done(source, output, registry, "one") == len(spoiled)
    assert contents(output) == wanted
    assert done(source, output, registry, "one") == 0
