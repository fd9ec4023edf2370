"""What has to hold after any run, whatever befell it: a function of what lies in both buckets, and nothing else.

It reads the records by their documented form (`translate/records/README.md`) and not by the program's own readers,
which might err the same way as its writers. Each violation is a sentence.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECORDS = "_translate/"
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp")
_NAMES = re.compile(r"(plan|summary)\.json|report\.html|units/\d{6}\.jsonl|ledger/(\d{6})(\.stopped)?\.jsonl")
_OUTCOMES = ("ok", "failed", "skipped")
_TRIED_AGAIN = ("store.", "input.changed", "input.gone")
"""Codes of failures that the next run tries again: not the end of an item."""


@dataclass(frozen=True)
class Found:
    """An object as it lies in a bucket."""

    data: bytes
    etag: str

    @property
    def digest(self) -> str:
        """As ledgers write it."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Expected:
    """What the work makes of a source when nothing befalls it."""

    outcome: str
    code: str
    output_key: str
    digest: str


@dataclass
class Run:
    """What one run wrote about itself."""

    name: str
    plan: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    report: bytes | None = None
    planned: dict[str, int] = field(default_factory=dict)
    """Unit by source key."""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By source key."""
    recorded_in: dict[str, str] = field(default_factory=dict)
    """Name of the segment by source key."""


def check(
    source: Mapping[str, Found],
    source_after: Mapping[str, Found],
    output: Mapping[str, Found],
    reference: Mapping[str, Expected] | None = None,
) -> list[str]:
    """Every violation after the last run, in words; an empty list is what should come out.

    ``source`` before the first run, all of ``output`` (keys relative to the output's place), ``reference`` as
    `expectations` returns it of a run without faults.
    """
    wrong: list[str] = []
    runs = list(read_runs(output, wrong))
    wrong += _compare(source, source_after, "the source")
    for run in runs:
        wrong += _a_run(run)
    wrong += _terminal_states(source, runs)
    wrong += _outputs(output, runs)
    if reference is not None:
        wrong += _as_without_faults(runs, reference)
    wrong += _lease(output)
    return wrong


def does_nothing(before: Mapping[str, Found], after: Mapping[str, Found], code: int | None, stdout: str) -> list[str]:
    """Violations of one more run of the same command, with what lay in the output before and after it."""
    wrong = [] if code == 0 else [f"running again: exit {code} instead of 0"]
    if not stdout.startswith("nothing to do"):
        wrong.append(f"running again: it says {stdout.partition(chr(10))[0]!r} instead of 'nothing to do'")
    return wrong + _compare(before, after, "running again: the output")


def expectations(output: Mapping[str, Found]) -> dict[str, Expected]:
    """What became of each source in a run without faults, by key."""
    runs = read_runs(output, [])
    return {
        key: Expected(entry["outcome"], entry["code"], entry["output_key"], entry["digest"])
        for run in runs
        for key, entry in run.entries.items()
    }


def read_runs(output: Mapping[str, Found], wrong: list[str]) -> Iterator[Run]:
    """Every run's records, oldest first; what cannot be read is added to ``wrong``."""
    prefix = f"{RECORDS}runs/"
    names: defaultdict[str, list[str]] = defaultdict(list)
    for key in sorted(output):
        if key.startswith(prefix):
            names[key[len(prefix) :].partition("/")[0]].append(key)
    for name, keys in names.items():
        run = Run(name)
        records = [key[len(prefix) + len(name) + 1 :] for key in keys]
        for record in sorted(records, key=lambda each: not each.startswith("units/")):  # the plan before its ledger
            try:
                _take(run, record, output[f"{prefix}{name}/{record}"].data, wrong)
            except (ValueError, KeyError) as error:
                wrong.append(f"run {name}: {record} is half-written or damaged ({error!r})")
        yield run


def _take(run: Run, record: str, data: bytes, wrong: list[str]) -> None:
    if not _NAMES.fullmatch(record):
        wrong.append(f"run {run.name}: {record!r} is no record that we know")
    elif record in ("plan.json", "summary.json"):
        setattr(run, record.partition(".")[0], json.loads(data))
    elif record == "report.html":
        run.report = data
    elif record.startswith("units/"):
        for unit in _lines(data):
            for item in unit["items"]:
                if item["key"] in run.planned:
                    wrong.append(f"run {run.name}: {item['key']!r} was planned twice")
                run.planned[item["key"]] = unit["number"]
    else:
        for entry in _lines(data):
            wrong += _record(run, record, entry)


def _lines(data: bytes) -> list[Any]:
    if not data.endswith(b"\n"):
        raise ValueError("the last line has no end")
    return [json.loads(line) for line in data.splitlines()]


def _record(run: Run, segment: str, entry: dict[str, Any]) -> list[str]:
    """Keep an entry of a ledger; an item may stand in a stopped unit's part and, alike, in the whole unit."""
    key, wrong = entry["key"], []
    unit = int(segment.partition("/")[2][:6])
    if run.planned.get(key) != unit:
        wrong.append(f"run {run.name}: {segment} records {key!r}, which its unit does not hold")
    if key in run.entries:
        first = run.recorded_in[key]
        same = all(run.entries[key][name] == entry[name] for name in ("outcome", "code", "digest", "source_etag"))
        parts = {first, segment} == {f"ledger/{unit:06d}.stopped.jsonl", f"ledger/{unit:06d}.jsonl"}
        if not (parts and same):
            wrong.append(f"run {run.name}: {key!r} was recorded twice, in {first} and {segment}")
    run.entries[key], run.recorded_in[key] = entry, segment
    return wrong


def _a_run(run: Run) -> Iterator[str]:
    """A run's plan against its units, and what follows from its end."""
    if run.plan is None:
        if run.entries or run.summary:
            yield f"run {run.name} has records of work, but no plan"
        return
    units = set(run.planned.values())
    if units != set(range(run.plan["units"])):
        yield f"run {run.name}: the plan says {run.plan['units']} units, {len(units)} are there"
    if run.plan["considered"]["to_do"] != len(run.planned):
        yield f"run {run.name}: the plan says {run.plan['considered']['to_do']} to do, its units {len(run.planned)}"
    if run.summary is not None:
        yield from _a_finished_run(run, run.summary)


def _a_finished_run(run: Run, summary: dict[str, Any]) -> Iterator[str]:
    """The counts add up, and to what the ledger says."""
    missing = sorted(set(run.planned) - set(run.entries))
    for key in missing:
        yield f"run {run.name} is finished, but {key!r} has no entry in its ledger"
    if run.report is None or not run.report.rstrip().endswith(b"</html>"):
        yield f"run {run.name} is finished, but its report is missing or cut off"
    counted = Counter(entry["outcome"] for entry in run.entries.values())
    for name, count in {"planned": len(run.planned), **{each: counted[each] for each in _OUTCOMES}}.items():
        if summary[name] != count:
            yield f"run {run.name}: the summary says {summary[name]} {name}, the ledger {count}"
    codes = Counter(entry["code"] for entry in run.entries.values() if entry["code"])
    if summary["codes"] != codes:
        yield f"run {run.name}: the summary says {summary['codes']} by code, the ledger {dict(codes)}"


def _terminal_states(source: Mapping[str, Found], runs: list[Run]) -> Iterator[str]:
    """Every listed source has exactly one terminal state over all runs."""
    ends: defaultdict[str, list[str]] = defaultdict(list)
    for run in runs:
        for key, entry in run.entries.items():
            if entry["outcome"] not in _OUTCOMES:
                yield f"run {run.name}: {key!r} ended as {entry['outcome']!r}"
            if entry["code"].startswith(_TRIED_AGAIN):
                continue  # no end yet; and "input.changed" may be a listing's ETag that was damaged on its way
            ends[key].append(run.name)
            if key in source and entry["source_etag"] != source[key].etag:
                yield f"run {run.name}: {key!r} was recorded with an ETag that it does not have"
    listed = {key for key in source if key.lower().endswith(_IMAGES)}
    for key in sorted(listed - set(ends)):
        yield f"{key!r} has no terminal state"
    for key in sorted(set(ends) - listed):
        yield f"{key!r} has a terminal state, but was never listed"
    for key, names in sorted(ends.items()):
        if len(names) > 1:
            yield f"{key!r} came to its end {len(names)} times, in the runs {', '.join(names)}"


def _outputs(output: Mapping[str, Found], runs: list[Run]) -> Iterator[str]:
    """Every acknowledged output is there, whole and the one that was recorded; and there are no others."""
    recorded = {e["output_key"]: e for run in runs for e in run.entries.values() if e["outcome"] == "ok"}
    for key, entry in sorted(recorded.items()):
        found = output.get(key)
        if found is None:
            yield f"output {key!r} is recorded, but not there"
            continue
        if found.digest != entry["digest"] or len(found.data) != entry["size_bytes"]:
            yield f"output {key!r} has other bytes than its entry says ({len(found.data)} bytes)"
        if found.etag != entry["output_etag"]:
            yield f"output {key!r} has another ETag than its entry says"
        if _size_of(found.data) != (entry["width"], entry["height"]):
            yield f"output {key!r} does not decode to {entry['width']} x {entry['height']} pixels"
    for key in sorted(output):
        if not key.startswith(RECORDS) and key not in recorded:
            yield f"output {key!r} is there, but no ledger records it"


def _size_of(data: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return image.size
    except (OSError, SyntaxError):  # Pillow's words for a damaged PNG
        return None


def _as_without_faults(runs: list[Run], reference: Mapping[str, Expected]) -> Iterator[str]:
    last = {key: entry for run in runs for key, entry in run.entries.items()}
    for key, entry in sorted(last.items()):
        expected = reference.get(key)
        found = Expected(entry["outcome"], entry["code"], entry["output_key"], entry["digest"])
        if found != expected:
            yield f"{key!r} ended as {found}, without faults as {expected}"


def _lease(output: Mapping[str, Found]) -> Iterator[str]:
    found = output.get(f"{RECORDS}lease.json")
    try:
        if found is not None and not json.loads(found.data)["released"]:
            yield "the lease was not given back"
    except ValueError:
        yield "the lease is half-written"


def _compare(before: Mapping[str, Found], after: Mapping[str, Found], what: str) -> list[str]:
    probe = {f"{RECORDS}probe"}  # empty; written to learn the store's time
    gone = [f"{what} lost {key!r}" for key in sorted(set(before) - set(after) - probe)]
    new = [f"{what} got {key!r}" for key in sorted(set(after) - set(before) - probe)]
    changed = [key for key in sorted(set(before) & set(after) - probe) if before[key] != after[key]]
    return gone + new + [f"{what} has another {key!r}" for key in changed]


def unsettled(output: Mapping[str, Found]) -> list[str]:
    """Sources whose last outcome is one that the next run tries again."""
    last = {key: entry["code"] for run in read_runs(output, []) for key, entry in run.entries.items()}
    return sorted(key for key, code in last.items() if code.startswith(_TRIED_AGAIN))
