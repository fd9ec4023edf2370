"""What `translate run` says at its end, for people and for machines."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from translate.cli import console
from translate.pages.template import readable
from translate.progress import duration, rate
from translate.records.layout import run_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from translate.batch.resume import Begun
    from translate.batch.run import Ended, Prepared
    from translate.provenance import Considered, PlanRecord, RunSummary

NAMED_FAILURES = 5
"""Images that failed, named on the terminal."""


def refuse_empty(prepared: Prepared) -> None:
    """Raise `UsageError` if an input holds no image at all: an address that was mistyped, most likely.

    Not where a run has read from there before: then it was emptied, or its images were removed.
    """
    from translate.errors import UsageError
    from translate.images.formats import EXTENSIONS
    from translate.records.history import read_runs

    considered, job, others = prepared.plan.considered, prepared.job, prepared.plan.others
    images = sum(considered.model_dump(exclude={"bytes", "not_image"}).values())
    if images or job.selection.keys is not None:
        return
    if any(record.input_url == job.source.url for record in read_runs(job.output)):
        return
    place = readable(job.source.url)
    if not others.names:
        raise UsageError(f"nothing lies under {place}; expected images. Check the address, also upper and lower case; "
                         "to wait for images that will come there, give --watch")
    names = ", ".join(readable(name) for name in others.names)
    raise UsageError(f"no image lies under {place}, by the names of what is there: {readable(others.words)} ({names}"
                     f"{', ...' if others.extensions.total() > len(others.names) else ''}). Expected "
                     f"{', '.join(EXTENSIONS)}; give the images such names, or check the address")


def show_plan(prepared: Prepared, *, as_json: bool) -> None:
    """What would be done: ``--dry-run``."""
    from translate.batch.estimate import estimate

    considered, work = prepared.plan.considered, prepared.task.work
    expected = estimate(prepared)
    if as_json:
        console.result_json(
            {
                "event": "plan",
                "considered": considered.model_dump(),
                "work": work.model_dump(),
                "seconds": expected.seconds,
                "basis": expected.basis,
                "resumes": prepared.begun.record.run if prepared.begun else None,
                "left": prepared.left,
                "not_images": prepared.plan.others.extensions,
            }
        )
        return
    console.result(f"{readable(prepared.job.source.url)} -> {readable(prepared.job.output.url)}")
    console.result(
        f"model {work.model} ({work.engine}), size {work.size}, format {work.format}, "
        f"quality {work.quality}, pixels {work.pixels}"
    )
    if prepared.begun is not None:
        console.result(
            f"resumes run {prepared.begun.record.run}, which is not finished: {prepared.left} of "
            f"{prepared.plan.count} images are left. It was planned with:"
        )
    console.table(["", "IMAGES"], _considered(considered))
    _show_others(prepared)
    time_text = "unknown" if expected.seconds is None else f"about {duration(expected.seconds)}"
    console.result(f"to read: {_bytes(considered.bytes)}; expected time: {time_text} ({readable(expected.basis)})")


def _show_others(prepared: Prepared) -> None:
    if prepared.plan.others.names:
        console.result(f"not images, by their names: {readable(prepared.plan.others.words)}")


def show_engine(prepared: Prepared, *, as_json: bool) -> None:
    """Which engine was chosen and why, where there was a choice."""
    if prepared.why_engine and not as_json:
        console.remark(prepared.why_engine)


def show_begun(begun: Begun, *, as_json: bool) -> None:
    """Say that an unfinished run is resumed."""
    if not as_json:
        done, planned = begun.totals.count, begun.record.considered.to_do
        console.remark(f"resuming run {begun.record.run}: {done} of {planned} images are done")


def show_nothing(prepared: Prepared, *, as_json: bool) -> None:
    """Nothing was to do."""
    considered = prepared.plan.considered
    if as_json:
        console.result_json({"event": "nothing_to_do", "considered": considered.model_dump()})
        return
    none = "the --keys file names no keys" if prepared.job.selection.keys is not None else (
        f"there are no objects in {readable(prepared.job.source.url)}"
    )
    console.result(f"nothing to do: {', '.join(_passed_over(considered)) or none}")
    _show_others(prepared)
    if considered.failed_before:
        console.result("images that failed before: `translate retry` tries those of the newest run again, "
                       "--overwrite never every gap")


def show_stopped(ended: Ended, *, as_json: bool) -> None:
    """The run was stopped by a signal."""
    done = ended.totals.count
    if as_json:
        console.result_json({"event": "stopped", "done": done, "planned": ended.planned, **_resumed(ended)})
        return
    console.result(
        f"stopped: {done} of {ended.planned} images are done and recorded; the same command resumes with the others"
    )


def show_summary(ended: Ended, *, as_json: bool) -> None:
    """The totals of a finished run."""
    summary = ended.summary
    assert summary is not None
    if as_json:
        console.result_json(
            {
                "event": "summary",
                "images_per_second": round(summary.images_per_second, 3),
                **_resumed(ended),
                "unread": dict(ended.unread),
                **summary.model_dump(),
            }
        )
        return
    console.table(["OUTCOME", "IMAGES"], outcomes(summary.ok, summary.codes))
    _show_failures(ended, summary)
    if passed := _passed_over(summary.considered):
        console.result(f"not in this run: {', '.join(passed)}")
    since = f", {summary.ok - summary.ok_before} of them" if ended.begun else ""
    console.result(
        f"{summary.ok} of {summary.planned} images translated{since} in {_time(summary.seconds)}, "
        f"{rate(summary.images_per_second)} images/s, {_executor(summary)}, {summary.work.engine}"
    )
    if ended.begun is not None:
        console.result(
            f"resumed run {ended.begun.record.run}, where {ended.begun.totals.count} were done before; what has "
            "arrived or changed since then is for the next run: the same command again"
        )
    if summary.considered.not_sampled:
        console.result("this was a sample; the same command without --sample translates the others")
    if summary.fence is None:
        console.result(
            "not locked: the output's store does not do conditional writes, so another run could have written there "
            "at the same time; one by the same work writes the same pictures"
        )
    console.result(f"pictures: {readable(summary.output_url)}")
    console.result(f"report:   {readable(summary.report_url)}")


def _show_failures(ended: Ended, summary: RunSummary) -> None:
    """The first of what failed, and how to try it again; the page has more of them."""
    from translate.images.formats import FORMATS

    for failure in ended.failures[:NAMED_FAILURES]:
        console.result(f"failed: {readable(failure.key)}: {failure.code}: {readable(failure.message)}")
    if summary.failed > NAMED_FAILURES:
        console.result(f"failed: {summary.failed - NAMED_FAILURES:,} more; the report names them")
    for name, count in ended.unread.items():
        format_ = FORMATS[name]
        console.result(
            f"NOT READ: {count:,} {format_.title} {'image' if count == 1 else 'images'}, for want of an extra package. "
            f"Install it, on the workers too: {format_.extra}"
        )
    if summary.failed:
        console.result(f"the failed ones again, and only those: {retry_command(summary)}")


def retry_command(record: PlanRecord | RunSummary) -> str:
    """What to type to try again what failed in a run."""
    return "translate retry " + readable(shlex.quote(f"{record.output_url.rstrip('/')}/{run_prefix(record.run)}"))


def outcomes(ok: int, codes: Mapping[str, int]) -> list[tuple[str, int]]:
    """A line for each outcome, with its code and how many images have it."""
    from translate.records.ledger import EXISTS

    words = ((f"{'skipped' if code == EXISTS else 'failed'}: {code}", count) for code, count in sorted(codes.items()))
    return [("ok", ok), *words]


def _resumed(ended: Ended) -> dict[str, bool | int]:
    return {"resumed": ended.begun is not None, "done_before": ended.begun.totals.count if ended.begun else 0}


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def _executor(summary: RunSummary) -> str:
    return summary.executor + (f" with {summary.workers} workers" if summary.workers > 1 else "")


_WORDS = {
    "up_to_date": "up to date",
    "failed_before": "failed before",
    "kept": "kept as they are",
    "beyond_limit": "beyond --limit",
    "not_sampled": "not in the sample",
    "not_selected": "not selected",
    "not_image": "not images",
}


def _considered(considered: Considered) -> list[tuple[str, int]]:
    return [
        ("to translate", considered.to_do),
        *((word, count) for field, word in _WORDS.items() if (count := getattr(considered, field))),
    ]


def _passed_over(considered: Considered) -> list[str]:
    return [f"{count} {word}" for field, word in _WORDS.items() if (count := getattr(considered, field))]


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
