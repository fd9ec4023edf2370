"""A prefix of an S3 bucket as an object store; the one place that speaks to boto3.

Credentials, profile, region and endpoint come from where boto3 looks (environment, ``~/.aws``, instance
role, ``AWS_ENDPOINT_URL_S3``); ``endpoint_url`` overrides the last. Older stores that cannot take the
checksums which boto3 adds want ``AWS_REQUEST_CHECKSUM_CALCULATION=when_required`` in the environment.

boto3 tries a request again when the store is busy or silent, but never a body that broke off on its way: that
loop is ours. Nor does it know that the refusal of a conditional put may be the answer to the same put, whose
acknowledgement was lost: every put has a token of its own, and a refused one looks whose is there. Every error
leaves as one of `translate.errors`, with the endpoint and without secrets.
"""

from __future__ import annotations

import random
import re
import secrets
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from translate.errors import (
    AccessError,
    ItemError,
    NotFoundError,
    PreconditionError,
    StoreError,
    UnavailableError,
    UsageError,
)
from translate.stores import _s3_errors
from translate.stores._s3_client import Client
from translate.stores._walk import walk
from translate.stores.contract import WRITE_TOKEN, IfUnchanged, ObjectInfo, PutMode, StoredObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from translate.errors import TranslateError

BODY_TRIES = 4
CORRUPTED_TRIES = 2
LONGEST_KEY_BYTES = 1024
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")
"""What boto3 sends at all; which names there are is for the server to say."""
_BROKEN_BODY = (
    boto.IncompleteReadError,
    boto.ResponseStreamingError,
    boto.ReadTimeoutError,
)
_UNREACHABLE = (boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, ResponseParserError)
_FAILURES = (boto.BotoCoreError, boto.ClientError, ResponseParserError)
_Failure = boto.BotoCoreError | boto.ClientError | ResponseParserError
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.SSOError,
)


def open_url(url: str, endpoint_url: str | None) -> S3Store:
    """Open ``s3://bucket/prefix/``; nothing in the URL is percent-decoded. Raises `UsageError`."""
    bucket, _, prefix = url.partition("://")[2].partition("/")
    if "@" in bucket:
        raise UsageError("an s3:// URL holds no credentials; put them into AWS_ACCESS_KEY_ID ...")
    if not bucket:
        raise UsageError(f"{url!r} names no bucket; expected s3://bucket/ or s3://bucket/prefix/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{bucket!r} cannot be a bucket's name; expected 3 to 63 of a-z, 0-9, '.' and '-'")
    if endpoint_url is not None:
        parts = urlsplit(endpoint_url)
        if "@" in parts.netloc:
            raise UsageError("an endpoint URL holds no credentials; put them into AWS_ACCESS_KEY_ID ...")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{endpoint_url!r} is no endpoint URL; expected http://host:port or https://host")
    return S3Store(bucket, prefix, endpoint_url)


class S3Store:
    """An `ObjectStore` in a bucket. Pickles without its client; each process makes its own at first use."""

    def __init__(self, bucket: str, prefix: str = "", endpoint_url: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = prefix if not prefix or prefix.endswith("/") else prefix + "/"
        self._endpoint_url = endpoint_url
        self._client = Client(endpoint_url)

    def __reduce__(self) -> tuple[type[S3Store], tuple[str, str, str | None]]:
        return S3Store, (self._bucket, self._prefix, self._endpoint_url)

    @property
    def url(self) -> str:
        """``s3://bucket/prefix/``."""
        return f"s3://{self._bucket}/{self._prefix}"

    def list(self, prefix: str = "", *, start_after: str = "") -> Iterator[ObjectInfo]:
        """As the contract says; empty "folder" objects, as consoles make them, are left out.

        A bucket that is not there is a `NotFoundError`.
        """
        after = {"StartAfter": self._prefix + start_after} if start_after else {}
        last = start_after
        for page in self._pages(Prefix=self._prefix + prefix, **after):
            objects = page.get("Contents", [])
            if objects and not _lists_in_key_order(page):
                yield from walk(self._children, prefix, start_after)
                return
            for info in self._infos(objects):
                if info.key <= last:
                    raise StoreError(f"{self._client.endpoint} lists out of order: {info.key!r} after {last!r}")
                last = info.key
                yield info

    def _children(self, folder: str) -> Iterator[tuple[str, ObjectInfo | None]]:
        """One folder, as `walk` wants it."""
        for page in self._pages(Prefix=self._prefix + folder, Delimiter="/"):
            for info in self._infos(page.get("Contents", [])):
                yield info.key, info
            for below in page.get("CommonPrefixes", []):
                yield self._told(below, "Prefix")[len(self._prefix) :], None

    def _pages(self, **request: Any) -> Iterator[Any]:  # noqa: ANN401 - as boto3 has them
        more = True
        while more:
            try:
                # boto3 asks for percent-encoded keys and decodes them, so that odd characters survive the XML.
                page = self._client.ask("list_objects_v2", Bucket=self._bucket, **request)
            except _FAILURES as error:
                raise self._ours(error, "") from error
            yield page
            more = self._told(page, "IsTruncated")
            request["ContinuationToken"] = page.get("NextContinuationToken")

    def _infos(self, objects: Iterable[Any]) -> Iterator[ObjectInfo]:
        for found in objects:
            key, size, etag, modified = (self._told(found, name) for name in ("Key", "Size", "ETag", "LastModified"))
            if not (key.endswith("/") and size == 0):
                yield ObjectInfo(key[len(self._prefix) :], size, etag.strip('"'), modified.timestamp())

    def _told(self, part: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - as boto3 has them
        """A field of a listing; one that every listing has and this one has not was damaged on its way."""
        if name not in part:
            raise UnavailableError(f"{self.url}: {self._client.endpoint} sent a damaged listing, without {name}")
        return part[name]

    def get(self, key: str, *, if_match: str | None = None) -> StoredObject:
        """As the contract says; a body that breaks off or stalls is asked for again.

        Raises `ItemError` ``store.integrity`` if the bytes keep missing their checksum, ``store.archived`` if the
        object has to be restored first.
        """
        request = self._request(key)
        if if_match is not None:
            request["IfMatch"] = f'"{if_match}"'
        broken = corrupted = 0
        while True:
            try:
                response = self._client.ask("get_object", **request)
            except _FAILURES as error:
                raise self._ours(error, key) from error
            try:
                with closing(response["Body"]) as body:  # its own `with` would hand out the raw stream
                    data = body.read()
            except boto.FlexibleChecksumError as error:
                corrupted += 1
                if corrupted == CORRUPTED_TRIES:
                    raise self._ours(error, key) from error
            except _BROKEN_BODY as error:
                broken += 1
                if broken == BODY_TRIES:
                    raise self._ours(error, key) from error
            else:
                return StoredObject(_info(key, response), data)
            _pause(broken + corrupted)

    def head(self, key: str) -> ObjectInfo:
        """As the contract says."""
        try:
            return _info(key, self._client.ask("head_object", **self._request(key)))
        except _FAILURES as error:
            raise self._ours(error, key) from error

    def delete(self, key: str) -> None:
        """As the contract says."""
        try:
            self._client.ask("delete_object", **self._request(key))
        except NotFoundError:  # a key that cannot be: nothing to remove
            return
        except _FAILURES as error:
            if self._cannot_be(error, key):
                return
            raise self._ours(error, key) from error

    def put(
        self,
        key: str,
        data: bytes,
        *,
        mode: PutMode | IfUnchanged = PutMode.OVERWRITE,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        """As the contract says, in one request (up to 5 GB). A put that is refused because it took effect before,
        though nobody acknowledged it, is none.

        Refuses the empty key, one that ends in ``/``, NUL, more than 1024 bytes (with the prefix), ``.`` and
        ``..`` segments (servers and proxies may resolve them, and then it is another object), and what this
        server finds too long.
        """
        if reason := _refusal(self._prefix, key):
            raise ItemError("output.key_refused", f"{self.url} cannot hold {key!r}: {reason}")
        metadata = {WRITE_TOKEN: secrets.token_hex(16), **(metadata or {})}
        request = {**self._request(key), "Body": data, "ContentType": content_type, "Metadata": metadata}
        if mode is PutMode.CREATE:
            request["IfNoneMatch"] = "*"
        elif isinstance(mode, IfUnchanged):
            request["IfMatch"] = f'"{mode.etag}"'
        try:
            response = self._client.ask("put_object", **request)
        except _FAILURES as error:
            refusal = self._why_not_put(error, key)
            if isinstance(refusal, PreconditionError) and (there := self._written_by(metadata[WRITE_TOKEN], key)):
                return there
            raise refusal from error
        return ObjectInfo(key, len(data), response["ETag"].strip('"'), metadata=metadata)

    def _why_not_put(self, error: _Failure, key: str) -> TranslateError:
        code = error.response["Error"].get("Code") if isinstance(error, boto.ClientError) else ""
        if code == "KeyTooLongError":
            return ItemError("output.key_refused", f"{self.url} cannot hold {key!r}: too long")
        if code == "NoSuchKey":
            return PreconditionError(f"{key!r} in {self.url} was changed or removed")
        return self._ours(error, key)

    def _written_by(self, token: str, key: str) -> ObjectInfo | None:
        """What is there, if the put with this token wrote it."""
        try:
            there = self.head(key)
        except NotFoundError:
            return None
        return there if (there.metadata or {}).get(WRITE_TOKEN) == token else None

    def _request(self, key: str) -> dict[str, Any]:
        """What every request about one object holds; raises `NotFoundError` for a key that cannot be."""
        if not key or not _is_unicode(key):
            raise NotFoundError(f"there is no object {key!r} in {self.url}")
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _cannot_be(self, error: _Failure, key: str) -> bool:
        """Whether the server refused a request only because it knows no such key as ``key``."""
        if not isinstance(error, boto.ClientError):
            return False
        status = error.response["ResponseMetadata"].get("HTTPStatusCode")
        return status == 400 and _refusal(self._prefix, key) is not None

    def _ours(self, error: _Failure, key: str) -> TranslateError:
        """One of boto3's errors as one of ours."""
        endpoint = self._client.endpoint
        subject = f"object {key!r} in {self.url}" if key else self.url
        if isinstance(error, boto.ClientError):
            if self._cannot_be(error, key):
                return NotFoundError(f"there is no {subject}: the server takes no such key")
            if error.response["Error"].get("Code") == "InvalidObjectState":
                told = f"{subject} is in an archive (InvalidObjectState): restore it, or leave it out with --exclude"
                return ItemError("store.archived", told)
            return _s3_errors.refused(error.response, subject=subject, bucket=self._bucket, endpoint=endpoint)
        if isinstance(error, _NO_CREDENTIALS):
            return AccessError(
                f"no credentials for {self.url}: {error}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or AWS_PROFILE"
            )
        if isinstance(error, boto.FlexibleChecksumError):
            told = f"{subject}: {CORRUPTED_TRIES} times other bytes than their checksum says"
            return ItemError("store.integrity", told)
        if isinstance(error, _UNREACHABLE):
            return UnavailableError(
                f"{subject}: {endpoint} could not be reached or broke off ({type(error).__name__}), "
                "also after several tries. Check the endpoint and the network, then run again"
            )
        return StoreError(f"{subject}: {error}")


def _info(key: str, response: Any) -> ObjectInfo:  # noqa: ANN401 - as boto3 has them
    """What the answer to a get or a head says of the object."""
    etag, modified_s = response["ETag"].strip('"'), response["LastModified"].timestamp()
    # Names of headers: some servers send them back with capitals.
    metadata = {name.lower(): value for name, value in response["Metadata"].items()}
    return ObjectInfo(key, response["ContentLength"], etag, modified_s, metadata)


def _refusal(prefix: str, key: str) -> str | None:
    """Why we do not write ``key`` below ``prefix``, or None."""
    if not _is_unicode(key):
        return "it is not valid Unicode"
    if "\0" in key:
        return "it holds a NUL character"
    if len((prefix + key).encode()) > LONGEST_KEY_BYTES:
        return f"it is longer than {LONGEST_KEY_BYTES} bytes"
    if not key.rpartition("/")[2]:
        return "it is empty or ends in '/', as a folder does"
    if any(segment in (".", "..") for segment in key.split("/")):
        return "it has a '.' or '..' segment"
    return None


def _is_unicode(key: str) -> bool:
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _lists_in_key_order(page: Mapping[str, Any]) -> bool:
    """Whether the server lists by the keys' bytes, as S3 does; SeaweedFS has "a/b" before "a.jpg"."""
    server: str = page["ResponseMetadata"]["HTTPHeaders"].get("server", "")
    return not server.startswith("SeaweedFS")


def _pause(tries: int) -> None:
    """Wait up to 0.5, 1, 2 ... seconds, by chance, so that workers do not come back all at once."""
    time.sleep(random.uniform(0, 0.25 * 2**tries))  # noqa: S311 - no secret
