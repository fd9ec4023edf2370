"""A model on disk: ``model.json`` and ``weights.safetensors`` (and a card) under one prefix of a store.

``model.json`` is written last and only if absent: it marks the bundle as complete, and readers trust nothing
without it. The weights file repeats architecture and config in its header, so that its digest covers
everything that makes pixels.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from translate.config import canonical_json
from translate.errors import ConfigError, ModelError, NotFoundError, UnknownNameError
from translate.models.contract import build, parse_config
from translate.models.threads import one_thread
from translate.models.translator import ModelFacts, Translator
from translate.stores.contract import PutMode
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from translate.stores.contract import ObjectStore

SCHEMA_VERSION = 1
DOCUMENT = "model.json"
WEIGHTS = "weights.safetensors"
Dtype = Literal["float32", "float16"]


class Document(ModelFacts):
    """The contents of ``model.json``: the model's facts and what lies beside them."""

    schema_version: Literal[1] = 1
    weights_dtype: Dtype
    """How the weights are stored; they are computed with in float32."""
    files: tuple[str, ...] = ()
    """What else lies beside, e.g. ``card.md`` and ``card.jpg``."""

    def facts(self) -> ModelFacts:
        """The part that a translator carries."""
        return ModelFacts.model_validate({name: getattr(self, name) for name in ModelFacts.model_fields})


def write_bundle(
    store: ObjectStore,
    prefix: str,
    network: nn.Module,
    facts: ModelFacts,
    files: Mapping[str, bytes],
    *,
    dtype: Dtype = "float32",
) -> ModelFacts:
    """Write a bundle under ``prefix`` (empty, or ending in ``/``) and return the facts with its digest.

    Everything is written only if absent, the weights first: they claim the place. Raises `PreconditionError`
    if the place is taken, `ModelError` if a weight is not finite in ``dtype``, `ConfigError` if the facts are
    wrong.
    """
    parse_config("generator", {"architecture": facts.architecture, **facts.config}, facts.name)
    weights = pack_weights(network, facts, dtype)
    facts = facts.model_copy(update={"digest": weights_digest(weights)})
    document = Document(**dict(facts), weights_dtype=dtype, files=tuple(sorted(files)))
    store.put(prefix + WEIGHTS, weights, mode=PutMode.CREATE)
    for name, data in sorted(files.items()):
        store.put(prefix + name, data, mode=PutMode.CREATE)
    text = json.dumps(document.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    store.put(prefix + DOCUMENT, text.encode(), mode=PutMode.CREATE, content_type="application/json")
    return facts


def read_document(store: ObjectStore, prefix: str) -> Document:
    """Read ``model.json`` alone. Raises `ModelError` if it is missing, damaged or of a newer schema."""
    where = f"{store.url.rstrip('/')}/{prefix}{DOCUMENT}"
    try:
        text = read_record(store, prefix + DOCUMENT).data
    except NotFoundError as error:
        raise ModelError(f"no model at {where}; give the folder of a model (with {DOCUMENT} and {WEIGHTS}), "
                         "or name@version of a published one") from error
    try:
        values = json.loads(text)
        version = values["schema_version"]
        if version != SCHEMA_VERSION:
            raise ModelError(f"{where} has schema version {version!r}, this program reads {SCHEMA_VERSION}; "
                             "install a newer version of it")
        return Document.model_validate_json(text)
    except (ValueError, KeyError, TypeError) as error:
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ModelError(f"{where} is damaged: {detail}; publish or copy the model again") from error


def read_bundle(store: ObjectStore, prefix: str) -> Translator:
    """Read a bundle and check that its weights are the ones that were written.

    Raises `ModelError` if a file is missing or damaged, the architecture is unknown or does not fit the
    weights.
    """
    return open_bundle(*fetch_bundle(store, prefix))


def fetch_bundle(store: ObjectStore, prefix: str) -> tuple[Document, bytes, str]:
    """Document, weights file and its place, for `open_bundle`; raises `ModelError` if one is missing."""
    document = read_document(store, prefix)
    where = f"{store.url.rstrip('/')}/{prefix}{WEIGHTS}"
    try:
        return document, read_record(store, prefix + WEIGHTS).data, where
    except NotFoundError as error:
        raise ModelError(f"{where} is missing though {DOCUMENT} is there; copy the model again") from error


def open_bundle(document: Document, data: bytes, where: str) -> Translator:
    """Build the generator of a weights file that lies at ``where``, its digest checked; raises as `read_bundle`."""
    if weights_digest(data) != document.digest:
        raise ModelError(f"{where} is damaged: its digest is {weights_digest(data)}, but {DOCUMENT} says "
                         f"{document.digest}; copy the model again")
    facts = document.facts()
    if _header(data).get("translate") != _identity(facts):
        raise ModelError(f"{where} belongs to another architecture or config than {DOCUMENT} says; "
                         "copy the model again")
    try:
        tensors = load_tensors(data)
    except SafetensorError as error:
        raise ModelError(f"{where} is not a safetensors file: {error}") from error
    return assemble(facts, tensors, where)


def assemble(facts: ModelFacts, tensors: Mapping[str, Tensor], where: str) -> Translator:
    """Build the generator that ``facts`` name around ``tensors`` (float16 becomes float32).

    Raises `ModelError`, naming the keys, if there are too few, too many, or tensors of another shape.
    """
    try:
        name, config = parse_config("generator", {"architecture": facts.architecture, **facts.config}, where)
    except (UnknownNameError, ConfigError) as error:
        raise ModelError(f"{where} cannot be built: {error}") from error
    with torch.random.fork_rng(devices=[]), one_thread():
        network = build("generator", name, config)
    wanted = network.state_dict()
    problems = [f"{key} is missing" for key in wanted if key not in tensors]
    problems += [f"{key} is not known" for key in tensors if key not in wanted]
    problems += [f"{key} is {list(tensors[key].shape)}, expected {list(wanted[key].shape)}"
                 for key in wanted if key in tensors and tensors[key].shape != wanted[key].shape]
    if problems:
        raise ModelError(f"{where} does not fit {facts.architecture}: {'; '.join(problems[:8])}"
                         + (f"; and {len(problems) - 8} more" if len(problems) > 8 else ""))
    with one_thread():
        network.load_state_dict({key: tensor.to(wanted[key].dtype) for key, tensor in tensors.items()})
    return Translator(network, facts)


def pack_weights(network: nn.Module, facts: ModelFacts, dtype: Dtype) -> bytes:
    """The bytes of the weights file: floats in ``dtype``, architecture and config in the header."""
    target = torch.float16 if dtype == "float16" else torch.float32
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    tensors = {key: value.to(target) if value.is_floating_point() else value
               for key, value in tensors.items()}
    broken = [key for key, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        raise ModelError(f"weights that are not finite in {dtype} cannot be stored: {', '.join(broken[:8])}")
    return save_tensors(tensors, metadata={"translate": _identity(facts)})


def _identity(facts: ModelFacts) -> str:
    return canonical_json({"architecture": facts.architecture, "config": facts.config})


def _header(data: bytes) -> dict[str, Any]:
    """The metadata of a safetensors file: 8 bytes of length, then JSON."""
    (length,) = struct.unpack("<Q", data[:8])
    metadata: dict[str, Any] = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    return metadata


def weights_digest(data: bytes) -> str:
    """``sha256:<hex>`` of the bytes of a weights file: what `ModelFacts.digest` holds."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
