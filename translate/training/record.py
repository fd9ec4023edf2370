"""What a training wrote line by line: ``status.jsonl``, ``evaluations.jsonl``, ``events.jsonl``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from translate.errors import NotFoundError

if TYPE_CHECKING:
    from translate.stores.contract import ObjectStore


def read_lines(output: ObjectStore, key: str, *, up_to: int | None = None) -> list[dict[str, Any]]:
    """The lines of a JSON Lines file; none if there is no such file.

    ``up_to`` leaves out those of more images seen: an end that was lost before a resume made them.
    """
    try:
        text = output.get(key).data.decode()
    except NotFoundError:
        return []
    lines = [json.loads(line) for line in text.split("\n") if line]
    return [line for line in lines if up_to is None or line["images"] <= up_to]
