"""Whether a store does conditional writes: asked with real ones, never assumed, because some take a condition, say
nothing, and write all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from translate.errors import PreconditionError, UnsupportedError
from translate.stores.contract import IfUnchanged, PutMode
from translate.stores.patience import bare

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore

PROBE = "_translate/probe"
"""An empty object that stays: shows whether conditional puts are refused as they should be, and what the store's
clock says."""
_NO_ETAG = "0" * 32
_known: WeakKeyDictionary[ObjectStore, bool] = WeakKeyDictionary()
"""What was found out in this process."""


def heeds_conditions(store: ObjectStore) -> bool:
    """Whether a store refuses conditional puts when it should: asked once a process."""
    asked = bare(store)  # the rounds of a watch each have patience of their own
    if asked not in _known:
        # The first put may only have created the probe.
        creates = _refuses(store, PutMode.CREATE) or _refuses(store, PutMode.CREATE)
        _known[asked] = creates and _refuses(store, IfUnchanged(_NO_ETAG))
    return _known[asked]


def _refuses(store: ObjectStore, mode: PutMode | IfUnchanged) -> bool:
    try:
        store.put(PROBE, b"", mode=mode)
    except PreconditionError:
        return True
    except UnsupportedError:
        return False
    return False
