"""What is shipped with the package: pipelines, models, sample images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_HERE = Path(__file__).parent


def shipped_folder(kind: Literal["configs", "models", "samples"]) -> Path:
    """Folder of the shipped things of a kind. In a source checkout the pipelines lie at the top, in ``configs/``."""
    folder = _HERE / kind
    if kind == "configs" and not folder.is_dir():
        folder = _HERE.parent.parent / "configs"
    return folder
