"""Time and peak memory of planning N keys: for the first time, and again when all of them are done.

    python -m tests.benchmarks.planning --keys 10000000

The input's listing is generated; plan and ledger are real, in a temporary folder (about 800 bytes a key, removed in the
end). Each part runs in a process of its own, so that its peak memory is its own. The model, which a run loads too, is
left out.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from tests.benchmarks._machine import machine, row
from translate.batch.notebook import Notebook, note_history
from translate.batch.planning import Selection, make_plan
from translate.provenance import PlanRecord, Work
from translate.records import manifest
from translate.records.ledger import Entry, write_segment
from translate.stores.contract import ObjectInfo
from translate.stores.file import FileStore

RUN = "20261122T060000000Z-abcd"
WORK = Work(model="a@1", model_digest="sha256:" + "1" * 64, size="native", format="keep", quality=92, pixels="exact",
            engine="torch-float32")

PARTS = {"first": "planning {} keys", "record": "writing the ledger of {} images",
         "second": "planning {} keys again, when all are done"}


class Generated(FileStore):
    """A folder that seems to hold ``count`` pictures."""

    def __init__(self, root: str, count: int) -> None:
        super().__init__(root)
        self._count = count

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        if prefix:  # the runs' records, which are real
            yield from super().list(prefix, start_after=start_after)
            return
        for i in range(self._count):
            yield ObjectInfo(f"photos/{i // 1000:06d}/{i % 1000:06d}-original.jpg", 200_000 + i % 1000, f"{i:032x}")


def first(store: Generated) -> int:
    """Plan, and write the plan."""
    plan = make_plan(store, Notebook(), WORK, "changed", Selection())
    units = manifest.write_units(store, RUN, manifest.cut(plan.items(), plan.count))
    manifest.write_plan(store, PlanRecord(
        run=RUN, started="", pipeline="", input_url="", output_url="", work=WORK, work_digest=WORK.digest,
        overwrite="changed", considered=plan.considered, units=units, versions={}))
    return plan.count


def record(store: Generated) -> int:
    """Write the ledger that a run over this plan leaves."""
    done = 0
    for unit in manifest.read_units(store, RUN):
        write_segment(store, RUN, unit, [
            Entry(item.key, item.output_key, item.etag, "ok", "", "", item.etag, "sha256:" + "0" * 64, 10, 512, 512, (),
                  {"get": 1.25, "decode": 2.5, "translate": 100.25, "encode": 5.5, "put": 10.75})
            for item in unit.items])
        done += len(unit.items)
    return done


def second(store: Generated) -> int:
    """Plan once more: nothing is to do."""
    notebook = Notebook()
    note_history(store, notebook)
    notebook.note_outputs(store.list())
    plan = make_plan(store, notebook, WORK, "changed", Selection())
    assert plan.count == 0
    return plan.considered.up_to_date


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is None:
        print(machine())
        with tempfile.TemporaryDirectory() as folder:
            for part in PARTS:
                command = [sys.executable, "-m", "tests.benchmarks.planning", "--keys", str(options.keys),
                           "--part", part, "--folder", folder]
                subprocess.run(command, check=True)
        return
    start, cpu_start = time.perf_counter(), time.process_time()
    count = globals()[options.part](Generated(options.folder, options.keys))
    assert count == options.keys
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    row(PARTS[options.part].format(f"{count:,}"),
        f"{seconds:.1f} s ({cpu_seconds:.1f} s of a processor), {count / seconds:,.0f} keys/s, peak {peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
