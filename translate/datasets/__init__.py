"""Public sets made ready for training, one file each."""

from __future__ import annotations

import importlib.util

from translate.errors import DataError


def require(module: str, extra: str) -> None:
    """Raise `DataError` naming the extra to install if an optional module is not there."""
    if importlib.util.find_spec(module) is None:
        raise DataError(f"this needs the Python module {module}; install it with: "
                        f"pip install 'translate-images[{extra}]'")
