"""Speaking to an S3 server: one boto3 client a process, made anew where its credentials have been renewed meanwhile.

boto3 tries a request again when the server is busy or silent; the timeouts are short, so that a server that
says nothing is found out within a minute. More patience than that is `translate.stores.patience`.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from boto3.session import Session
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from translate.errors import UsageError
from translate.stores import _s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 15
REQUEST_TRIES = 3
CONNECTIONS = 32


class Client:
    """Asks one server; made at the first request, so that neither disk nor network are touched before."""

    def __init__(self, endpoint_url: str | None) -> None:
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: S3Client | None = None
        self._client_pid = 0

    def ask(self, operation: str, **request: Any) -> Any:  # noqa: ANN401 - as boto3 has them
        """Make a request, by boto3's name for it; raises what boto3 raises, `ResponseParserError` for a damaged answer.

        Where credentials are refused, they are looked up again, once: whoever renews them writes a new file, or
        has written one since this process began.
        """
        client = self.boto3()
        try:
            return _ask(client, operation, request)
        except (boto.ClientError, boto.NoCredentialsError) as error:
            if isinstance(error, boto.ClientError) and not _s3_errors.may_be_renewed(error.response):
                raise
        return _ask(self._renewed(client), operation, request)

    def boto3(self) -> S3Client:
        """Return this process's client; boto3's clients are safe between threads, but making one is not."""
        with self._lock:
            if self._client is None or self._client_pid != os.getpid():
                self._client, self._client_pid = self._make(), os.getpid()
            return self._client

    @property
    def endpoint(self) -> str:
        """Where we speak to, without user name and password."""
        url = self._client.meta.endpoint_url if self._client else self._endpoint_url or "S3"
        scheme, separator, rest = url.rpartition("://")
        return scheme + separator + rest.rpartition("@")[2]

    def _renewed(self, refused: S3Client) -> S3Client:
        """A client with the credentials of this moment, in the place of one that was refused; one for all threads."""
        with self._lock:
            if self._client is refused:
                self._client = self._make()
            assert self._client is not None
            return self._client

    def _make(self) -> S3Client:
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": REQUEST_TRIES},
            max_pool_connections=CONNECTIONS,
        )
        try:
            return Session().client("s3", endpoint_url=self._endpoint_url, config=config)
        except ValueError as error:
            raise UsageError(f"the S3 settings of this environment do not work: {error}") from error


def _ask(client: S3Client, operation: str, request: dict[str, Any]) -> Any:  # noqa: ANN401 - as boto3 has them
    try:
        return getattr(client, operation)(**request)
    except HTTPError as error:  # botocore lets it through where the refusal of a get breaks off in its body
        raise boto.HTTPClientError(error=error) from error
    except (ValueError, KeyError, TypeError) as error:
        # botocore tells of XML that is none, and stumbles over a damaged date, number or name in it.
        raise ResponseParserError(f"the answer to {operation} is damaged: {error!r}") from error
