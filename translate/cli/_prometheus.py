"""Numbers in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/), served or said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from translate.batch.meter import Meter
from translate.cli import console
from translate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from translate.batch.meter import Measured


@contextmanager
def measured(host: str, port: int | None, *, as_json: bool) -> Iterator[Meter]:
    """A meter, served at ``/metrics`` by a thread until the block ends; port 0 is any free one, None serves nothing.

    Raises `UsageError` if it cannot be served there.
    """
    meter = Meter()
    if port is None:
        yield meter
        return
    registry = CollectorRegistry()
    registry.register(_Measuring(meter.read))
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise UsageError(
            f"cannot serve metrics at {host}:{port}: {error.strerror or error}; choose another --metrics-port, or a "
            "--metrics-host that this machine has"
        ) from error
    url = f"http://{host}:{server.server_port}/metrics"
    console.remark(console.json_line("metrics", {"url": url}) if as_json else f"metrics: {url}")
    try:
        yield meter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def text(numbers: Measured) -> str:
    """The numbers as text."""
    registry = CollectorRegistry()
    registry.register(_Measuring(lambda: numbers))
    return generate_latest(registry).decode()


class _Measuring(Collector):
    """What `prometheus_client` asks at each scrape."""

    def __init__(self, read: Callable[[], Measured]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Every family that something is known of."""
        now = self._read()
        yield CounterMetricFamily("translate_images_planned", "Images that runs were to translate", now.planned)
        images = CounterMetricFamily("translate_images", "Images that came to their end", labels=["outcome", "code"])
        for (outcome, code), count in sorted(now.images.items()):
            images.add_metric([outcome, code], count)
        yield images
        stages = CounterMetricFamily(
            "translate_stage_seconds", "Time of images in each stage, over all threads", labels=["stage"]
        )
        for stage, seconds in sorted(now.stage_s.items()):
            stages.add_metric([stage], seconds)
        yield stages
        if now.read_bytes is not None:
            yield CounterMetricFamily("translate_read_bytes", "Bytes of translated sources", now.read_bytes)
        if now.written_bytes is not None:
            yield CounterMetricFamily("translate_written_bytes", "Bytes of outputs", now.written_bytes)
        if now.workers is not None:
            yield GaugeMetricFamily("translate_workers", "Models at work", now.workers)
        if now.last_success_s is not None:
            yield GaugeMetricFamily(
                "translate_last_success_timestamp_seconds",
                "When a run, or a look that found nothing to do, last ended well", now.last_success_s,
            )
