"""What the notebook takes down comes back as it was, also broken Unicode; and a full folder is named."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from translate.batch.notebook import Notebook, Past
from translate.provenance import Work
from translate.records.ledger import Entry
from translate.records.manifest import Item
from translate.stores.contract import ObjectInfo

WORK = Work(model="a@1", model_digest="sha256:00", size="native", format="keep", quality=92, pixels="exact",
            engine="torch-float32")
keys = st.text(st.characters(), min_size=1, max_size=12)  # with surrogates


def items(count: int) -> list[Item]:
    return [Item(f"{i:06d}.png", "e", i, f"{i:06d}.png", "png") for i in range(count)]


@given(st.lists(keys, unique=True, max_size=30))
def test_keys_come_back_whatever_they_are(names: list[str]):
    notebook = Notebook()
    planned = [Item(name, "e", number, name[::-1], "webp") for number, name in enumerate(names)]
    notebook.note_planned(planned)
    assert list(notebook.planned()) == planned
    notebook.note_outputs(ObjectInfo(name, 1, f"e{number}") for number, name in enumerate(names) if number % 2 == 0)
    wanted = [None if number % 2 else f"e{number}" for number in range(len(names))]
    assert [notebook.output_etag(name) for name in names] == wanted
    notebook.note_past((Entry(item.key, item.output_key, "e", "ok") for item in planned), WORK, WORK.digest)
    for item in planned:
        assert notebook.past(item.key) == Past("e", item.output_key, "", "ok", "", WORK.digest)
    assert notebook.has_past() == bool(names)


def test_the_later_outcome_counts_and_skipped_ones_say_nothing():
    notebook = Notebook()
    other = WORK.model_copy(update={"size": 320})
    notebook.note_past([Entry("a", "a", "1", "failed", "input.empty"), Entry("b", "b", "1", "ok")], WORK, WORK.digest)
    notebook.note_past([Entry("a", "x", "2", "ok"), Entry("b", "b", "2", "skipped")], other, other.digest)
    assert notebook.past("a") == Past("2", "x", "", "ok", "", other.digest)
    assert notebook.past("b") == Past("1", "b", "", "ok", "", WORK.digest)
    assert notebook.past("c") is None
    assert list(notebook.works.items()) == [(WORK.digest, WORK), (other.digest, other)]
    notebook.note_past([Entry("d", "d", "1", "ok")], WORK, WORK.digest)
    assert list(notebook.works.items()) == [(other.digest, other), (WORK.digest, WORK)]
    assert [notebook.past(key).work_digest for key in "abd"] == [other.digest, WORK.digest, WORK.digest]


@pytest.mark.parametrize(("there", "asked", "kept"), [
    (10, 3, [1, 4, 8]), (10, 1, [4]), (10, 10, list(range(10))), (3, 5, [0, 1, 2]), (0, 5, []), (7, 2, [1, 5]),
])
def test_a_sample_is_spread_evenly(there, asked, kept):
    notebook = Notebook()
    notebook.note_planned(items(there))
    assert notebook.thin_out(asked) == (len(kept), sum(kept))
    assert [item.size_bytes for item in notebook.planned()] == kept


@given(st.integers(1, 400), st.integers(1, 400))
def test_a_sample_has_the_size_that_was_asked_for(there: int, asked: int):
    notebook = Notebook()
    notebook.note_planned(items(there))
    assert notebook.thin_out(asked)[0] == min(there, asked)
    kept = [item.size_bytes for item in notebook.planned()]
    gaps = [later - earlier for earlier, later in zip([-1, *kept], [*kept, there], strict=True)]
    assert max(gaps) <= -(-there // asked) + 1


def test_a_full_temporary_folder_is_named(tmp_path):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "from translate.batch import notebook; from translate.errors import StoreError\n"
        "from translate.records.manifest import Item\n"
        "notebook.CACHE_KIB = 100\n"
        "try:\n    notebook.Notebook().note_planned(Item(f'{i:099d}', 'e', 1, 'x', 'png') for i in range(50_000))\n"
        "except StoreError as error:\n    print(error); sys.exit(error.exit_code)"
    )
    ended = subprocess.run([sys.executable, "-c", code], env={"TMPDIR": str(tmp_path)}, capture_output=True, text=True,
                           check=False)
    assert (ended.returncode, ended.stderr) == (4, "")
    assert "could not be written to the temporary folder" in ended.stdout
    assert "set TMPDIR to a folder that has it" in ended.stdout
    assert not list(tmp_path.iterdir())
