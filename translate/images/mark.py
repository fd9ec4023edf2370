"""The mark that says a picture was made by a machine, by which one and from what: XMP, written and read.

Others read the IPTC digital source type (Photo Metadata Standard, "Digital Source Type"); we also read four
properties of our own. Nothing in it differs between runs, so that a repeat gives the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from translate.images._reader import border
from translate.images._sniff import sniff
from translate.images.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "xmp-1"
"""Of what is written; part of a run's work, as other marks are other bytes."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's word for a picture that a trained model made of a captured one."""
MAX_PACKET_BYTES = 1 << 20
"""Of an XMP packet that is read; ours have less than 1,200, those of photo editors tens of thousands."""

_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_OURS = "urn:x-translate:mark:1#"
_PROPERTIES = {
    f"{_IPTC}DigitalSourceType": "source_type",
    f"{_OURS}Model": "model",
    f"{_OURS}ModelDigest": "model_digest",
    f"{_OURS}SourceDigest": "source_digest",
    f"{_OURS}WorkDigest": "work_digest",
}
"""XMP property (namespace and name) and the field that it fills."""
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    f'<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="{_IPTC}" xmlns:translate="{_OURS}"'
    f' Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"'
    " translate:Model={model} translate:ModelDigest={model_digest}"
    " translate:SourceDigest={source_digest} translate:WorkDigest={work_digest}/>"
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST_MODEL = 200


@dataclass(frozen=True, slots=True)
class Mark:
    """What made a picture. Digests are ``sha256:<hex>``."""

    model: str
    """``name@version``, or the name of the file it was read from; printable, for people."""
    model_digest: str
    """Of the file of the weights."""
    source_digest: str
    """Of the bytes of the image that was translated."""
    work_digest: str
    """Of the model and the settings, see `translate.provenance.Work`."""


def to_xmp(mark: Mark) -> bytes:
    """The mark as an XMP packet, UTF-8; always the same bytes for the same mark."""
    return _PACKET.format(**{name: quoteattr(value) for name, value in asdict(mark).items()}).encode()


def model_label(reference: str) -> str:
    """What a mark says of a model that was given as ``name@version``, path or URL: a path, which tells of its
    owner's machine, is cut to its last part; what cannot be printed, nor stand in XML, is replaced."""
    name = reference.rstrip("/").rpartition("/")[2]
    return "".join(c if c.isprintable() else "\ufffd" for c in name)[:_LONGEST_MODEL]


def read_mark(data: bytes) -> Mark | None:
    """The mark of an encoded image; None if it has none, or one that is not whole.

    A mark is a claim: anybody can copy one into another picture. Reads the header only.
    Raises `ItemError` as `translate.images.codec.probe` does, if this is no image.
    """
    format_ = sniff(data)
    with border(format_):
        packet = FORMATS[format_].open(data).image.info.get("xmp")
    if not isinstance(packet, bytes) or len(packet) > MAX_PACKET_BYTES:
        return None
    try:
        found = _properties(packet)
    except (expat.ExpatError, _RefusedError):
        return None
    return checked_mark(found)


def checked_mark(found: Mapping[str, str]) -> Mark | None:
    """The mark of these fields and ``source_type``, if we could have written it: strangers' text goes no further."""
    if found.keys() != set(_PROPERTIES.values()) or found["source_type"] != SOURCE_TYPE:
        return None
    mark = Mark(**{name: value for name, value in found.items() if name != "source_type"})
    digests = (mark.model_digest, mark.source_digest, mark.work_digest)
    printable = mark.model.isprintable() and 0 < len(mark.model) <= _LONGEST_MODEL
    return mark if printable and all(_DIGEST.fullmatch(digest) for digest in digests) else None


class _RefusedError(Exception):
    """A packet that is XML, but none that we read."""


def _properties(packet: bytes) -> Mapping[str, str]:
    """Our properties, by field, whichever way XMP allows them: as attributes or as elements.

    A full XML parser, as editors write our properties anew in their own manner. It is Python's own, streaming;
    whatever makes XML dangerous (entities, files and addresses to fetch) needs a document type, and a packet
    that has one is refused where it begins.
    """
    found: dict[str, str] = {}
    text: list[str] = []
    parser = expat.ParserCreate(namespace_separator="")

    def add(name: str, value: str) -> None:
        if (field := _PROPERTIES.get(name)) and found.setdefault(field, value) != value:
            raise _RefusedError

    def start(_name: str, attributes: Mapping[str, str]) -> None:
        text.clear()
        for name, value in attributes.items():
            add(name, value)

    def end(name: str) -> None:
        if text:
            add(name, "".join(text).strip())
        text.clear()

    def refuse(*_declared: object) -> None:
        raise _RefusedError

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text.append
    parser.Parse(packet.rstrip(b"\0 \n"), True)  # noqa: FBT003 - expat's own signature
    return found
