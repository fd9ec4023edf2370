"""A Ray cluster of several nodes on this machine, for tests: processes (``ray start``) whose Python finds every package
but ours, and whose environment names no credentials."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
"""Ray's ports are open to all that reach this machine."""
PACE = {"RAY_worker_niceness": "0"}
"""Ray's default of 15 leaves workers nothing beside other work."""


class Cluster:
    """``with Cluster() as cluster``: a head without processors; ``node(cpus)`` adds one, ``kill`` takes it away.

    With ``jobs`` its Jobs API listens at ``jobs_url``.
    """

    def __init__(self, *, jobs=False):
        self.jobs_url = f"http://127.0.0.1:{free_port()}" if jobs else None

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tr-"))  # short: Ray makes socket files below it
        self.running = []
        venv.create(self.folder / "venv", symlinks=True)
        self.python = self.folder / "venv/bin/python"
        (place,) = (self.folder / "venv/lib").glob("python*/site-packages")
        # A folder named in a .pth file is searched, but the .pth files in it, such as ours, are not read.
        (place / "packages.pth").write_text(sysconfig.get_path("purelib"))
        self.address = f"127.0.0.1:{free_port()}"
        try:
            port = self.address.partition(":")[2]
            dashboard = ["--include-dashboard=false"] if self.jobs_url is None else [
                "--include-dashboard=true", "--dashboard-host=127.0.0.1",
                f"--dashboard-port={self.jobs_url.rpartition(':')[2]}",
            ]
            self.start("--head", f"--port={port}", "--num-cpus=0", f"--temp-dir={self.folder / 'ray'}", *dashboard)
            until_s = time.monotonic() + 200
            while not (answers(self.address) and (self.jobs_url is None or answers(self.jobs_url[len("http://"):]))):
                assert time.monotonic() < until_s, (self.folder / "log").read_text()
                time.sleep(0.5)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, *flags):
        unwanted = ("AWS_", "PYTHON", "RAY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        kept["PATH"] = f"{self.folder / 'venv/bin'}:{os.environ['PATH']}"
        command = [self.python, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
                   "--node-ip-address=127.0.0.1", "--object-store-memory=100000000", *flags]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, env={**kept, **TOKEN, **PACE}, start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def node(self, cpus, gpus=0):
        resources = f"--num-cpus={cpus}", f"--num-gpus={gpus}", "--memory=4000000000"
        return self.start(f"--address={self.address}", *resources)

    def kill(self, node):
        """Take a node away as a machine that loses its power: the raylet with all its workers."""
        below = descendants(node.pid)
        for pid in [node.pid, *below]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        node.wait()

    def __exit__(self, *_):
        for node in reversed(self.running):
            if node.poll() is None:
                self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answers(address):
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def descendants(pid):
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]
