"""Options of `run`: most of them `retry` has as well, and one `report`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class ExecutorName(StrEnum):
    """Values of ``--executor``."""

    auto = "auto"
    local = "local"
    ray = "ray"


class Device(StrEnum):
    """Values of ``--device``."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Frames(StrEnum):
    """Values of ``--frames``."""

    first = "first"
    refuse = "refuse"


Registry = Annotated[
    str | None, typer.Option(help="Where models are; default TRANSLATE_REGISTRY, ./models.")
]
Executor = Annotated[
    ExecutorName, typer.Option(help="auto: ray for several workers or many images, if installed; else local.")
]
WorkersChoice = Annotated[
    str | None,
    typer.Option("--workers", metavar="N|MIN-MAX", help="Models at work at once, on Ray: a number, or bounds."),
]
GpusPerWorker = Annotated[
    float, typer.Option(help="GPUs of each worker on Ray, also a part of one; 0: they compute on processors.")
]
EndpointUrl = Annotated[str | None, typer.Option(help="S3 endpoint of both sides.")]
InputEndpointUrl = Annotated[str | None, typer.Option(help="S3 endpoint of the input.")]
OutputEndpointUrl = Annotated[str | None, typer.Option(help="S3 endpoint of the output.")]
DeviceChoice = Annotated[Device, typer.Option(help="Where the network runs.")]
Every = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="Between two rounds of --watch; default 60.")
]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Serve Prometheus metrics meanwhile, at /metrics of this port.")
]
MetricsHost = Annotated[str, typer.Option(help="Where to serve them; 0.0.0.0: to whoever can reach this machine.")]
MaxMegapixels = Annotated[
    float | None, typer.Option(help="Larger images are refused undecoded; default 100.")
]
FramesChoice = Annotated[
    Frames | None, typer.Option(help="Of animations and many pages: the first one, or refuse them.")
]
AsJsonLines = Annotated[
    bool, typer.Option("--json", help="JSON lines: the result on stdout, progress and errors on stderr.")
]
