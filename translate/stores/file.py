"""A folder as an object store (POSIX: Linux and macOS).

Writing is: temporary file beside the target, fsync, rename. A reader sees the old bytes or the new ones, and
a process killed at any moment leaves at most a temporary file, which no listing shows. Put-if-unchanged
compares and renames under a lock file beside the object; plain puts and deletes do not take that lock, so a
key that is compared and swapped is written with CREATE and `IfUnchanged` only.

A key becomes a path only if every segment is an ordinary file name, so that no key leads out of the folder.
Symbolic links are the folder owner's own word and are followed, for files and folders; a folder that is its
own ancestor (a loop) is not entered twice. Writing to a key that is a link replaces the link, not its target.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

from translate.errors import (
    AccessError,
    ItemError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UsageError,
)
from translate.stores._walk import walk
from translate.stores.contract import IfUnchanged, ObjectInfo, PutMode, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_log = logging.getLogger(__name__)
_OURS = ".translate-tmp-"
"""Temporary files and locks start with this: never listed, refused as keys."""
_LONGEST_SEGMENT_BYTES = 255
_DEEPEST_FOLDER = 200
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_SUCH_NAME = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def open_url(url: str, endpoint_url: str | None) -> FileStore:  # noqa: ARG001 - one signature for all stores
    """Open a path (``~`` and relative paths work) or ``file:///path`` (percent-escapes are undone)."""
    if not url.lower().startswith("file://"):
        return FileStore(url)
    host, slash, path = url[len("file://") :].partition("/")
    if host not in ("", "localhost") or not slash:
        raise UsageError(f"{url!r} is no file URL; expected file:///absolute/path, or a plain path")
    return FileStore("/" + unquote(path))


class FileStore:
    """An `ObjectStore` in a folder; the folder is made by the first put.

    The ETag is made of modification time, size and inode: listing reads no file, and any rewrite changes it.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().resolve()
        self._told_of_links = 0

    @property
    def url(self) -> str:
        """The folder's absolute path."""
        return str(self.root)

    def file_in_its_way(self) -> Path | None:
        """What stands where the folder or one above it should be, but is none; None if it can be made."""
        # Unlike `Path.exists`, this one passes over what may not be looked at: writing will say so.
        first = next(path for path in (self.root, *self.root.parents) if os.path.exists(path))  # noqa: PTH110
        return None if first.is_dir() else first

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says; holds the names of one folder per level. A missing folder yields nothing.

        Links that lead to nothing are passed over, and a log line says how many.
        """
        if "/" in prefix and _refusal(prefix.rpartition("/")[0]):
            return
        broken = 0
        for key in walk(self._children, prefix, start_after):
            try:
                info = self.head(key)
            except NotFoundError:  # removed meanwhile, a link to nothing, a pipe
                broken += (self.root / key).is_symlink()
                continue
            yield info
        if broken and broken != self._told_of_links:  # a watch lists again and again
            _log.warning("links to nothing in %s, passed over: %d; find -L -type l lists them", self.url, broken)
            self._told_of_links = broken

    def _children(self, folder: str) -> Iterator[tuple[str, str | None]]:
        """One folder, as `walk` wants it."""
        path = self.root / folder
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith(_OURS):
                        continue
                    key = folder + entry.name
                    if entry.is_symlink():
                        link = path / entry.name
                        if not link.is_dir():
                            yield key, key
                        elif not _is_loop(link):
                            yield key + "/", None
                    elif entry.is_dir():
                        yield key + "/", None
                    else:
                        yield key, key
        except _NO_SUCH_NAME:
            return
        except OSError as error:
            self._fail(error, f"list {path}")

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says."""
        path = self._path(key)
        self.head(key)  # opening a pipe would wait for ever: make sure that it is a file
        try:
            with path.open("rb") as file:
                info = _info(key, os.fstat(file.fileno()))
                if if_match is not None and if_match != info.etag:
                    raise PreconditionError(
                        f"{key!r} in {self.url} was changed: its ETag is {info.etag}, not {if_match}"
                    )
                return StoredObject(info, file.read())
        except _NO_SUCH_NAME:
            raise self._missing(key) from None
        except OSError as error:
            self._fail(error, f"read {path}")

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        path = self._path(key)
        try:
            status = path.stat()
        except _NO_SUCH_NAME:
            raise self._missing(key) from None
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                raise self._missing(key) from None
            self._fail(error, f"read {path}")
        if not stat.S_ISREG(status.st_mode):
            raise self._missing(key)
        return _info(key, status)

    def delete(self, key: str) -> None:
        """As the contract says; folders that become empty stay."""
        try:
            self._path(key).unlink()
        except (NotFoundError, *_NO_SUCH_NAME):
            return
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG or (error.errno == errno.EPERM and self._path(key).is_dir()):
                return
            self._fail(error, f"delete {self._path(key)}")

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",  # noqa: ARG002 - a file has none
        metadata: Mapping[str, str] | None = None,  # noqa: ARG002 - a file has none
    ) -> ObjectInfo:
        """As the contract says.

        Refuses keys that are no path below the folder: empty, ``.`` and ``..`` segments, a leading ``/``,
        NUL, a segment above 255 bytes, a path too long or too deep, and keys below or above a file of another
        key.
        """
        if reason := _refusal(key):
            raise ItemError("output.key_refused", f"{self.url} cannot hold {key!r}: {reason}")
        path = self.root / key
        temporary = path.parent / f"{_OURS}{uuid.uuid4().hex}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                info = _write(key, temporary, data)
                self._commit(key, temporary, path, mode)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            self._refuse_or_fail(error, key, path)
        return info

    def _commit(self, key: str, temporary: Path, path: Path, mode: PutMode | IfUnchanged) -> None:
        """Give the finished temporary file its name, if ``mode`` allows."""
        if mode is PutMode.OVERWRITE:
            temporary.replace(path)
        elif mode is PutMode.CREATE:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                raise PreconditionError(f"{key!r} exists already in {self.url}") from None
            except OSError as error:
                if error.errno not in _NO_HARD_LINKS:
                    raise
                self._create_without_links(key, temporary, path)
        else:
            with _locked(path.parent):
                try:
                    unchanged = self.head(key).etag == mode.etag
                except NotFoundError:
                    unchanged = False
                if not unchanged:
                    raise PreconditionError(f"{key!r} in {self.url} was changed or removed since {mode.etag}")
                temporary.replace(path)

    def _create_without_links(self, key: str, temporary: Path, path: Path) -> None:
        """CREATE on a file system without hard links (exFAT, some networks): safe among our writers."""
        with _locked(path.parent):
            if os.path.lexists(path):
                raise PreconditionError(f"{key!r} exists already in {self.url}")
            temporary.replace(path)

    def _path(self, key: str) -> Path:
        if _refusal(key):
            raise self._missing(key)
        return self.root / key

    def _missing(self, key: str) -> NotFoundError:
        return NotFoundError(f"no object {key!r} in {self.url}")

    def _refuse_or_fail(self, error: OSError, key: str, path: Path) -> NoReturn:
        """An OS error of a put: a key that cannot be held costs one item, all else is the store's."""
        if (file := self.file_in_its_way()) is not None:
            raise StoreError(f"{file} is a file; expected a folder to write into") from error
        reason = None
        if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError)):
            reason = "a file or folder of another key is in its way"
        elif error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
            reason = str(error.strerror)
        if reason:
            raise ItemError("output.key_refused", f"{self.url} cannot hold {key!r}: {reason}") from error
        self._fail(error, f"write {path}")

    def _fail(self, error: OSError, doing: str) -> NoReturn:
        """Raise an OS error as one of ours."""
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise AccessError(f"may not {doing}: {error.strerror}; check owner and permissions") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(f"could not {doing}: the disk is full; make room and run again") from error
        raise StoreError(f"could not {doing}: {error.strerror}") from error


def _refusal(key: str) -> str | None:
    """Why ``key`` is no path below a folder, or None."""
    if not key:
        return "the key is empty"
    if "\0" in key:
        return "it holds a NUL character"
    try:
        os.fsencode(key)
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if key.count("/") > _DEEPEST_FOLDER:
        return f"it is more than {_DEEPEST_FOLDER} folders deep"
    for segment in key.split("/"):
        if segment in ("", ".", ".."):
            return f"the segment {segment!r} is not a file name"
        if len(os.fsencode(segment)) > _LONGEST_SEGMENT_BYTES:
            return f"a segment is longer than {_LONGEST_SEGMENT_BYTES} bytes"
        if segment.startswith(_OURS):
            return f"names that start with {_OURS!r} are kept for temporary files"
    return None


def _is_loop(link: Path) -> bool:
    """Whether a link to a folder leads to one that it is in."""
    return any(link.samefile(parent) for parent in link.parents)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    etag = f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"
    return ObjectInfo(key, status.st_size, etag, status.st_mtime)


def _write(key: str, temporary: Path, data: bytes) -> ObjectInfo:
    """Write and fsync a new file; returns its facts under ``key``."""
    with temporary.open("xb") as file:
        file.write(data)
        file.flush()
        # The kernel's clock ticks in milliseconds and inodes are used again: without a time of our own,
        # two quick rewrites could end in the same ETag.
        now_ns = time.time_ns()
        os.utime(file.fileno(), ns=(now_ns, now_ns))
        os.fsync(file.fileno())
        return _info(key, os.fstat(file.fileno()))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock file: excludes threads and processes, and ends with the process."""
    with (folder / f"{_OURS}lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
