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
ATTEMPTS = 3
"""To start a head: on a busy machine its parts give each other up after 30 s."""
HEAD_WITH_JOBS = """
import signal, sys, ray
from functools import partial
from ray._private import parameter
# Any free port: the agent that takes jobs does without, where another Ray on the machine has the usual one.
parameter.RayParams = partial(parameter.RayParams, dashboard_agent_listen_port=0)
ray.init(address="local", num_cpus=2, object_store_memory=100_000_000, _memory=4_000_000_000, _temp_dir=sys.argv[1],
         include_dashboard=True, dashboard_host="127.0.0.1", dashboard_port=int(sys.argv[2]))
# As `ray start` does: where jobs look for their own cluster, where other Rays run on the machine.
ray._private.utils.write_ray_address(ray.get_runtime_context().gcs_address, sys.argv[1])
print("it is up", flush=True)
signal.pause()
"""


class Cluster:
    """``with Cluster() as cluster``: a head without processors; ``node(cpus)`` adds one, ``kill`` takes it away.

    With ``jobs`` it is a head with two processors, whose Jobs API listens at ``jobs_url``.
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
            while not self.head():
                assert len(self.running) < ATTEMPTS, (self.folder / "log").read_text(errors="replace")
        except BaseException:
            self.__exit__()
            raise
        return self

    def head(self):
        """Start the head and say whether it came up."""
        port, folder = int(self.address.partition(":")[2]), str(self.folder / "ray")
        if self.jobs_url is None:
            head = self.start("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false",
                              f"--temp-dir={folder}")
        else:
            head = self.run("-c", HEAD_WITH_JOBS, folder, self.jobs_url.rpartition(":")[2])
        log, until_s = self.folder / "log", time.monotonic() + 200
        while head.poll() is None and time.monotonic() < until_s:
            if answers(port) or "it is up" in log.read_text(errors="replace"):
                return True
            time.sleep(0.5)
        return False

    def start(self, *flags):
        return self.run("-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
                        "--node-ip-address=127.0.0.1", "--object-store-memory=100000000", *flags)

    def run(self, *words):
        unwanted = ("AWS_", "PYTHON", "RAY")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        kept["PATH"] = f"{self.folder / 'venv/bin'}:{os.environ['PATH']}"
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([self.python, *words], cwd=self.folder, env={**kept, **TOKEN, **PACE},
                                       start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


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
