"""The files in a downloaded zip or tar.gz, one at a time, within limits: archives may be damaged, or hostile."""

from __future__ import annotations

import gzip
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from translate.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_BYTES = {".zip": b"PK\x03\x04", ".tar.gz": b"\x1f\x8b"}
"""Extension -> what such an archive begins with."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may unpack to. Pictures hardly shrink; bombs do, a thousandfold."""

    max_files: int = 1_000_000
    max_file_bytes: int = 512 * 1024**2
    max_ratio: int = 50
    """All files together against the archive."""
    slack_bytes: int = 16 * 1024**2
    """Allowed beyond the ratio: small archives of plain drawings shrink well."""


_LIMITS = ArchiveLimits()


def archive_files(path: Path, limits: ArchiveLimits = _LIMITS) -> Iterator[tuple[str, bytes]]:
    """(name, content) of every file of a zip or tar.gz, in its order; folders are passed over.

    Names are relative, with ``/`` and without ``.`` or ``..``. Raises `DataError` for a damaged archive, for one
    that unpacks to more than the limits, and for a member that is a link or a device or leads out of its folder.
    """
    most = path.stat().st_size * limits.max_ratio + limits.slack_bytes
    files = total = 0
    with _damage_is_named(path):
        for name, declared_bytes, file in _zip(path) if _is_zip(path) else _tar(path, most, limits):
            files += 1
            content = b"" if declared_bytes > limits.max_file_bytes else file.read(limits.max_file_bytes + 1)
            total += len(content)
            if declared_bytes > limits.max_file_bytes or len(content) > limits.max_file_bytes:
                raise DataError(f"{path.name}: {name!r} unpacks to more than {limits.max_file_bytes:,} bytes; "
                                "no picture of a set does")
            if files > limits.max_files or total > most:
                raise DataError(f"{path.name} unpacks to more than {limits.max_files:,} files or {most:,} bytes, "
                                f"{limits.max_ratio} times its own size: refused as a bomb")
            yield _safe(name, path), content


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == FIRST_BYTES[".zip"]


def _zip(path: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                continue
            if mode and mode & 0o170000 not in (0, 0o100000):
                raise DataError(f"{path.name}: {member.filename!r} is a link or a device; only files are unpacked")
            if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise DataError(f"{path.name}: {member.filename!r} is encrypted or packed in a way that is not read")
            with archive.open(member) as file:
                yield member.filename, member.file_size, file


class _Unpacked(gzip.GzipFile):
    """The tar inside, headers and padding too, within limits."""

    most = most_at_once = 0

    def read(self, size: int | None = -1) -> bytes:
        """As GzipFile; refuses more than fits the limits, in one piece (a header may ask for it) or in all."""
        if size is None or not 0 <= size <= self.most_at_once or self.tell() > self.most:
            raise DataError(f"{self.name} unpacks to more than {self.most:,} bytes, or asks for a piece of "
                            f"more than {self.most_at_once:,}: refused as a bomb")
        return super().read(size)


def _tar(path: Path, most: int, limits: ArchiveLimits) -> Iterator[tuple[str, int, IO[bytes]]]:
    with _Unpacked(path) as unpacked:
        unpacked.most, unpacked.most_at_once = most + 2048 * limits.max_files, limits.max_file_bytes + 1
        with tarfile.open(fileobj=unpacked, mode="r:") as archive:
            for member in archive:
                if member.isdir():
                    continue
                if not member.isreg():
                    raise DataError(f"{path.name}: {member.name!r} is a link or a device; only files are unpacked")
                file = archive.extractfile(member)
                assert file is not None  # a regular file has content
                with file:
                    yield member.name, member.size, file
        while unpacked.read(1024**2):
            pass  # to the end, where the checksum is


@contextmanager
def _damage_is_named(path: Path) -> Iterator[None]:
    """zipfile and tarfile tell of damage in many ways."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, OSError, UnicodeDecodeError,
            NotImplementedError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again, "
                        "or name another place with --base-url") from error


def _safe(name: str, path: Path) -> str:
    """The name without ``.`` segments; refuses one that could lead out of the folder it is unpacked in."""
    segments = [segment for segment in name.split("/") if segment != "."]
    hidden = any(unicodedata.category(character) == "Cc" for character in name)
    if not segments or ".." in segments or "" in segments or "\\" in name or ":" in segments[0] or hidden:
        raise DataError(f"{path.name}: the member name {name!r} leads out of the archive's folder or is no plain "
                        "file name; such an archive is not unpacked")
    return "/".join(segments)
