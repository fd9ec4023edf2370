"""Options that several verbs have: `run` and `retry`, `train`, `retrain` and `schedule`; and the check of a number.

In the table of ``--help`` the values take the room of the explanations: what is longer than a word is said in there.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from translate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

Number = int | float


def bounds(least: Number, most: Number | None = None) -> Callable[[typer.CallbackParam, Number | None], Number | None]:
    """A typer callback that refuses numbers below ``least`` or above ``most`` in a sentence of ours."""

    def check(option: typer.CallbackParam, value: Number | None) -> Number | None:
        if value is not None and not (least <= value and (most is None or value <= most)):
            expected = f"{least:g} or more" if most is None else f"from {least:g} to {most:g}"
            raise UsageError(f"{option.opts[0]} must be {expected}; got {value:g}")
        return value

    return check



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
    str | None, typer.Option(metavar="URL", help="Where models are; default: TRANSLATE_REGISTRY, else ./models.")
]
Executor = Annotated[
    ExecutorName,
    typer.Option(metavar="NAME", help="local, ray, or auto: ray for several workers or many images, if installed."),
]
WorkersChoice = Annotated[
    str | None,
    typer.Option("--workers", metavar="N|MIN-MAX", help="Workers on Ray: a number, or bounds; each holds a model."),
]
GpusPerWorker = Annotated[
    float,
    typer.Option(metavar="N", help="GPUs of each worker on Ray, also a part of one; 0: CPU only."),
]
EndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="S3 endpoint of input and output.")]
InputEndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="S3 endpoint of the input.")]
OutputEndpointUrl = Annotated[str | None, typer.Option(metavar="URL", help="S3 endpoint of the output.")]
DeviceChoice = Annotated[
    Device, typer.Option(metavar="NAME", help="Where the network runs: cpu, cuda, mps, or auto: the best there is.")
]
Every = Annotated[
    float | None,
    typer.Option(callback=bounds(1), metavar="SECONDS", help="Seconds between two rounds of --watch; default: 60."),
]
FailShare = Annotated[
    float | None,
    typer.Option(
        callback=bounds(0, 1), metavar="SHARE", help="Exit 3 if a larger share of the images failed; default: 0.05."
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        callback=bounds(0, 65535), metavar="PORT", help="Serve Prometheus metrics at /metrics of this port."
    ),
]
MetricsHost = Annotated[
    str, typer.Option(metavar="HOST", help="Address to serve metrics at; 0.0.0.0: to all who reach this machine.")
]
MaxMegapixels = Annotated[
    float | None, typer.Option(metavar="N", help="Larger images are refused undecoded; default: 100.")
]
FramesChoice = Annotated[
    Frames | None,
    typer.Option(metavar="WHICH", help="Of animations and files of many pages: first (the default), or refuse."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Lines of JSON.")]
AsJsonLines = Annotated[
    bool, typer.Option("--json", help="JSON lines: the result on stdout, progress and errors on stderr.")
]

TrainedPipeline = Annotated[str, typer.Option(metavar="NAME", help="A shipped pipeline's name, or a YAML file.")]
TrainingSet = Annotated[
    str, typer.Option(metavar="URL", help="Folder or URL that holds the folders named under training.data.")
]
TrainingDevice = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(metavar="NAME", help="Where networks learn: cpu, cuda, or auto: a CUDA GPU if there is one."),
]
TrainingWorkers = Annotated[
    int | None,
    typer.Option("--workers", callback=bounds(1), metavar="N", help="Number of workers on Ray that share each batch; "
                                                                    "default: none, this process trains alone."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value, e.g. train.batch=4.")
]
Retrainings = Annotated[
    str | None,
    typer.Option(metavar="URL", help="Where all retrainings of this model write; default: ./retraining/<pipeline>."),
]
