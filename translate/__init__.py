"""Image-to-image translation, from bucket to bucket: models, training, batch jobs, evaluation.

As a library: `load_translator`. What it raises is in `translate.errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal

    from translate.engines.torch import Device
    from translate.library import ImageTranslator

__version__ = "0.1.0"
__all__ = ["__version__", "load_translator"]


def load_translator(
    name: str,
    *,
    size: int | Literal["native"] | None = None,
    registry: str | None = None,
    device: Device = "auto",
    engine: str = "auto",
) -> ImageTranslator:
    """Load a model once, to translate arrays, files and objects with it: the same pixels as `translate run` makes.

    ``name`` is what ``run --pipeline`` or ``run --model`` takes: a pipeline's name or YAML; ``name`` or
    ``name@version`` in the registry; the path or URL of a folder with a model, or of a ``.pth`` file. A model that
    has the name of a shipped pipeline gets that pipeline's settings, as ``monet2photo@3`` does. ``size`` is the working
    size (short side in pixels, or ``native``) instead of the settings' own, ``registry`` where models are (None:
    ``TRANSLATE_REGISTRY``, else ``./models``), ``device`` where the network runs.

    ``engine`` makes the pixels: ``auto`` is PyTorch, as for a job of few images. A job of many may have chosen a faster
    one, which its page, plan and ``translate status`` name: for its very pixels give that, e.g. ``openvino-bfloat16``.
    (Not ``openvino-int8``, which is calibrated on a job's own images.)

    Raises `UsageError` and `ModelError`, with what is known by that name. Loading takes seconds, PyTorch's included.
    """
    from translate.library import open_translator

    return open_translator(name, size, registry, device, engine)
