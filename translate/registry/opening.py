"""Opening whatever names a model: a published one, a folder, another project's file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from translate.errors import ModelError, NotFoundError, UsageError
from translate.models.bundle import DOCUMENT, Document, fetch_bundle, open_bundle, read_document
from translate.models.foreign import SUFFIXES, read_foreign
from translate.models.ncnn import read_ncnn
from translate.registry.registry import ModelRegistry, check_name
from translate.stores import open_store
from translate.stores.records import read_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from translate.models.translator import Translator

NCNN_SUFFIX = ".param"


@dataclass(frozen=True, slots=True)
class FetchedModel:
    """A model's bytes, to be opened on another machine; picklable."""

    document: Document | None
    """None: a ``.pth`` file."""
    data: bytes
    where: str
    """For errors and provenance."""

    def open(self) -> Translator:
        """The model, its digest checked; raises as `open_model` does."""
        if self.document is None:
            return read_foreign(self.data, self.where)
        return open_bundle(self.document, self.data, self.where)


def open_model(reference: str, registry_url: str | None = None) -> Translator:
    """Open whatever names a model.

    ``name``, ``name@version``, ``name@champion`` or ``name@previous`` in the registry; the path or URL of a folder with
    ``model.json``; the path or URL of a ``.pth`` file of another project. A bare word is always a name: write
    ``./word`` for a folder.
    """
    return fetch_model(reference, registry_url).open()


def fetch_model(reference: str, registry_url: str | None = None) -> FetchedModel:
    """Read what `open_model` opens, without opening it; raises as it does."""
    if reference.endswith(SUFFIXES):
        return FetchedModel(None, _read(reference), reference)
    if "/" in reference or os.sep in reference:
        return FetchedModel(*fetch_bundle(open_store(reference), ""))
    try:
        return FetchedModel(*fetch_bundle(*ModelRegistry(registry_url).place(reference)))
    except (ModelError, UsageError) as error:
        if not (Path(reference) / DOCUMENT).is_file():
            raise
        raise ModelError(f"{error}. There is a folder of that name: write ./{reference} for the model in it") from error


def open_beside(reference: str, name: str, registry_url: str | None = None) -> bytes | None:
    """A file that lies beside what `open_model` opens, e.g. ``card.md``; None if there is none.

    Raises as `open_model` does if there is no such model.
    """
    if reference.endswith(SUFFIXES):
        return None
    if "/" in reference or os.sep in reference:
        store, prefix = open_store(reference), ""
    else:
        store, prefix = ModelRegistry(registry_url).place(reference)
    return read_record(store, prefix + name).data if name in read_document(store, prefix).files else None


def import_foreign(
    reference: str,
    name: str,
    *,
    registry_url: str | None = None,
    dropout: bool = False,
    keep_blocks: Sequence[int] | None = None,
) -> str:
    """Publish another project's ``.pth`` file, or ncnn's ``.param`` with the ``.bin`` beside it, as ``name@version``.

    ``dropout``: a U-Net was trained with it, see `read_foreign`. ``keep_blocks``: of an RRDB network in ncnn's form,
    see `read_ncnn`. Raises `ModelError` and `UsageError`.
    """
    check_name(name)
    if reference.endswith(NCNN_SUFFIX):
        weights = _read(reference.removesuffix(NCNN_SUFFIX) + ".bin")
        translator = read_ncnn(_read(reference), weights, reference, name=name, keep=keep_blocks)
    elif keep_blocks is None:
        translator = read_foreign(_read(reference), reference, name=name, dropout=dropout)
    else:
        raise UsageError(f"--keep-blocks thins networks in ncnn's form ({NCNN_SUFFIX}); {reference!r} is none")
    return ModelRegistry(registry_url).publish(name, translator.network, translator.facts, {})


def _read(reference: str) -> bytes:
    """The bytes of one file, by path or URL."""
    if "://" in reference:
        folder, _, name = reference.rpartition("/")
        try:
            return read_record(open_store(folder + "/"), name).data
        except NotFoundError as error:
            raise ModelError(f"no file {reference!r}") from error
    path = Path(reference)
    if not path.is_file():
        raise ModelError(f"no file {reference!r}; give the path or URL of an existing one")
    return path.read_bytes()
