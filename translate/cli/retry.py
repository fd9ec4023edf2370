"""`translate retry`: once more what failed in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from translate.cli import console
from translate.cli._options import (
    AsJsonLines,
    Device,
    DeviceChoice,
    EndpointUrl,
    Executor,
    ExecutorName,
    FailShare,
    FramesChoice,
    GpusPerWorker,
    InputEndpointUrl,
    MaxMegapixels,
    OutputEndpointUrl,
    Registry,
    WorkersChoice,
)

if TYPE_CHECKING:
    from translate.inspection.retry import Failed


def retry(
    url: Annotated[
        str, typer.Argument(metavar="RUN_URL|OUTPUT", help="A run's folder, or an output: then its newest run.")
    ],
    registry: Registry = None,
    executor: Executor = ExecutorName.auto,
    workers: WorkersChoice = None,
    gpus_per_worker: GpusPerWorker = 0.0,
    endpoint_url: EndpointUrl = None,
    input_endpoint_url: InputEndpointUrl = None,
    output_endpoint_url: OutputEndpointUrl = None,
    device: DeviceChoice = Device.auto,
    max_megapixels: MaxMegapixels = None,
    frames: FramesChoice = None,
    fail_share: FailShare = None,
    as_json: AsJsonLines = False,
) -> None:
    """Try again what failed in a run, and only that, with the model and settings of that run.

    This is a new run. What a later run has translated since is not done again.

    Exit codes: 0 done or nothing to do, 2 usage, 3 too many failed again, 4 storage, 5 another run writes
    there, 130 and 143 stopped.
    """
    from translate.batch.workers import parse_workers
    from translate.cli._running import do, show_end
    from translate.inspection.status import locate, newest_run
    from translate.stores import open_input

    crew = parse_workers(workers, gpus_per_worker)
    endpoints = (endpoint_url if input_endpoint_url is None else input_endpoint_url,
                 endpoint_url if output_endpoint_url is None else output_endpoint_url)
    changes = {"max_megapixels": max_megapixels, "frames": frames and frames.value, "fail_share": fail_share}
    output, run = locate(url, endpoints[1])
    run = run or newest_run(output)
    with console.progress("retry", as_json=as_json) as listener:
        from translate.batch.executor import engine_of_workers  # loads torch, which takes seconds
        from translate.inspection.retry import prepare_retry, read_failed

        failed = read_failed(output, run, listener)
        ended, stopped_by, prepared = None, 0, None
        if failed.keys:
            there, engine = engine_of_workers(executor.value, crew, device.value)
            prepared = prepare_retry(
                failed,
                open_input(failed.record.input_url, endpoint_url=endpoints[0]),
                output,
                registry_url=registry,
                device=there,
                engine=engine,
                same_place=endpoints[0] == endpoints[1] or "://" not in failed.record.input_url + output.url,
                changes={name: value for name, value in changes.items() if value is not None},
                listener=listener,
            )
            if not prepared.is_empty:
                ended, stopped_by = do(prepared, executor.value, crew, listener, as_json=as_json)
    if failed.open and not as_json:
        console.remark(f"{failed.open} images of run {run} are still open; the same `translate run` command does those")
    if ended is None or prepared is None:
        _show_nothing(run, failed, as_json=as_json)
    else:
        show_end(ended, stopped_by, prepared.job.settings.fail_share, as_json=as_json)


def _show_nothing(run: str, failed: Failed, *, as_json: bool) -> None:
    """Nothing failed, or it is all there by now."""
    if as_json:
        console.result_json({"event": "nothing_to_do", "run": run, "translated_since": failed.since})
    elif failed.since or failed.keys:
        console.result(f"nothing to retry: what failed in run {run} is there by now")
    else:
        console.result(f"nothing to retry: nothing failed in run {run}")
