"""YAML 1.2 text to values and back; nothing else of the program knows a YAML library."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.representer import SafeRepresenter

from translate.errors import ConfigError

if TYPE_CHECKING:
    from ruamel.yaml.nodes import SequenceNode

MOST_DEPTH = 32
"""Lists and mappings within each other."""
MOST_VALUES = 10_000
"""Values of a text, with each alias counted as what it stands for."""


def read_yaml(text: str, where: str) -> Any:  # noqa: ANN401 - any YAML value
    """The value of a YAML 1.2 document: mappings, lists, strings, numbers, dates, booleans and None.

    ``where`` names the text in errors. Raises `ConfigError` with the line: for a text that is not YAML, a key that is
    given twice, a tag, and for nesting and aliases that go beyond any pipeline.
    """
    try:
        _refuse(text, where)
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        hint = " (a line is indented with a tab; use blanks)" if "'\\t'" in str(error.problem) else ""
        raise ConfigError(f"{where}{line} is not valid YAML: {error.problem or error.context}{hint}") from error
    except (YAMLError, ValueError) as error:  # a date such as 2026-99-99 is a ValueError
        raise ConfigError(f"{where} is not valid YAML: {error}") from error


def write_yaml(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """YAML that `read_yaml` reads back as the same value: keys in their order, each list in one line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # the library declares it None
    yaml.width = 120
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue()


class _Representer(SafeRepresenter):
    """What a value looks like: as usual, but for lists."""

    def represent_list(self, data: list[Any]) -> SequenceNode:
        """In one line: ``[0.5, 0.999]``."""
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)


_Representer.add_representer(list, _Representer.represent_list)


def _refuse(text: str, where: str) -> None:
    """Raise `ConfigError` for what the reader would not get through, or not in bounded time and memory."""
    values = 0
    open_since: list[tuple[str | None, int]] = []
    """Anchor of each collection that is not closed yet, and the values before it."""
    sizes: dict[str, int] = {}
    """Values of the collection that an anchor names."""
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionEndEvent):
            anchor, before = open_since.pop()
            if anchor is not None:
                sizes[anchor] = values - before
            continue
        values += 1
        line = f"{where}, line {event.start_mark.line + 1}"
        if isinstance(event, AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_since):
                raise ConfigError(f"{line}: the alias *{event.anchor} stands within what it stands for; write out what "
                                  "is meant")
            values += sizes.get(event.anchor, 0)
        elif getattr(event, "tag", None) is not None:
            raise ConfigError(f"{line}: tags (! and !!name) mean nothing here; write the value alone")
        if isinstance(event, CollectionStartEvent):
            open_since.append((event.anchor, values))
        if len(open_since) > MOST_DEPTH or values > MOST_VALUES:
            raise ConfigError(f"{line}: this holds lists and mappings more than "
                              f"{MOST_DEPTH} deep, or more than {MOST_VALUES:,} values; a pipeline has far fewer")
