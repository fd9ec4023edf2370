"""Published models: ``name@version`` in an object store, and which version serves."""

from translate.registry.opening import FetchedModel, fetch_model, import_foreign, open_beside, open_model
from translate.registry.registry import ModelRegistry, Published, check_name

__all__ = [
    "FetchedModel", "ModelRegistry", "Published", "check_name", "fetch_model", "import_foreign", "open_beside",
    "open_model",
]
