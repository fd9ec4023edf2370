"""Image-to-image translation, from bucket to bucket: models, training, batch jobs, evaluation.

As a library: `load_translator` to translate pictures; `train`, `evaluate`, `import_model` and `export_model` as the
verbs of the command line. What they raise is in `translate.errors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from translate.library.opening import load_translator
    from translate.library.translator import ImageTranslator
    from translate.library.verbs import evaluate, export_model, import_model, train

__version__ = "0.1.0"
__all__ = [
    "ImageTranslator", "__version__", "evaluate", "export_model", "import_model", "load_translator", "train",
]

_PLACES = {
    "load_translator": "opening", "ImageTranslator": "translator", "train": "verbs", "evaluate": "verbs",
    "import_model": "verbs", "export_model": "verbs",
}
"""Files in ``translate/library/``; they are imported when a name is first used, as PyTorch takes a second."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"translate.library.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
