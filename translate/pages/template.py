"""What all pages share: a template with our style and script inside, and other people's strings kept harmless."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from translate.progress import duration

_HERE = Path(__file__).parent


def render(template: str, *, styles: tuple[str, ...], script: str | None, **values: object) -> bytes:
    """The page as UTF-8 HTML, from files of this folder; it opens without a request.

    The template gets ``css``, ``script`` and, for its content policy, ``css_hash`` and ``script_hash``. ``script`` may
    be None.
    """
    css = "".join((_HERE / name).read_text(encoding="utf-8") for name in styles)
    code = "" if script is None else (_HERE / script).read_text(encoding="utf-8")
    html = _environment().get_template(template).render(
        css=Markup(css),  # noqa: S704 - our own file
        script=Markup(code),  # noqa: S704 - our own file
        css_hash=_csp_hash(css),
        script_hash=_csp_hash(code),
        **values,
    )
    return html.encode()


def readable(text: str) -> str:
    """Text whose control characters, line ends, direction overrides and stray surrogates show as escapes."""
    if text.isprintable():  # pictures are megabytes of text: not letter by letter
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalize,
    )
    environment.filters["duration"] = duration
    environment.filters["count"] = lambda number: f"{number:,}"
    environment.filters["jpeg"] = lambda data: "data:image/jpeg;base64," + _base64(data)
    return environment


def _finalize(value: object) -> object:
    """What jinja does to every value before it escapes it; so no string of others is forgotten."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _csp_hash(text: str) -> str:
    """The content policy's name for an inline style or script."""
    return "sha256-" + _base64(hashlib.sha256(text.encode()).digest())
