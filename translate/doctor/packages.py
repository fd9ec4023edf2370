"""Which versions are installed, and whether they get on with each other."""

from __future__ import annotations

import importlib
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import translate
from translate.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

NEEDED = ("torch", "torchvision", "albumentations", "boto3", "pillow")
OPENCV = (
    "opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless",
)
"""Distributions that all install into the one folder ``cv2``; ours is the first."""
OPTIONAL = {"ray": "needed for several workers; pip install 'translate-images[ray]'"}
ENTRANCES = {
    "torch": "torch", "translate.images.codec": "opencv and pillow", "translate.images.augment": "albumentations",
}
"""Modules whose import shows whether a package is not only there but works (a library may be missing)."""


def packages() -> Iterator[Finding]:
    """A finding for each package, and one for each that is there but cannot be imported."""
    yield Finding("ok", "translate", translate.__version__)
    yield Finding("ok", "python", platform.python_version())
    for name in NEEDED:
        found = installed(name)
        if found:
            yield Finding("ok", name, found)
        else:
            yield Finding("problem", name, "not installed", "install translate-images again, into a new environment")
    yield opencv({name: found for name in OPENCV if (found := installed(name))})
    for name, why in OPTIONAL.items():
        yield Finding("ok", name, installed(name) or f"not installed; {why}")
    for module, name in ENTRANCES.items():
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            yield Finding("problem", name, f"cannot be imported: {error}",
                          "install what is named there, or that package again")


def opencv(found: dict[str, str]) -> Finding:
    """What to say of the OpenCV distributions that are installed, by name and version."""
    said = ", ".join(f"{name} {number}" for name, number in found.items())
    if len(found) > 1:
        return Finding(
            "problem", "opencv", f"{said}: they overwrite each other's files, so which one runs is chance",
            f"pip uninstall -y {' '.join(found)} && pip install '{OPENCV[0]}>=4.11,<6'",
        )
    if not found:
        return Finding("problem", "opencv", "not installed", f"pip install '{OPENCV[0]}>=4.11,<6'")
    if OPENCV[0] not in found:
        return Finding("warning", "opencv", f"{said}; tested is {OPENCV[0]}, which needs no screen libraries",
                       f"pip uninstall -y {' '.join(found)} && pip install '{OPENCV[0]}>=4.11,<6'")
    return Finding("ok", "opencv", said)


def installed(name: str) -> str:
    """Version of a distribution; empty if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
