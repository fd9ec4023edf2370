"""The program as its image runs it: everything read-only but /tmp, no capabilities, the image's environment."""

import json
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest
from manifests import FOLDER

CLOSED = """
set -e
mount --make-rprivate /
awk '$3 ~ /^(ext[234]|xfs|btrfs|overlay)$/ {print $2}' /proc/self/mounts | while read -r place; do
  mount -o remount,bind,ro "$place"
done
mount -t tmpfs tmpfs /tmp
if touch "$PROBE" 2>/dev/null; then echo "could write to $PROBE" >&2; exit 99; fi
cd /tmp
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


def image_environment():
    """The ENV of the Dockerfile, but for PATH."""
    text = (FOLDER / "container/Dockerfile").read_text().replace("\\\n", " ")
    [words] = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("ENV ")]
    return {name: value for name, _, value in (word.partition("=") for word in words) if name != "PATH"}


@pytest.fixture
def closed():
    """Run a command in a file system of its own, read-only but for /tmp; skips where that may not be made.

    Mounts are for whoever has CAP_SYS_ADMIN, such as root outside a container, and only they make a write fail as it
    does in the image. Without it ``tests/unit/deploy`` still holds every manifest to a read-only root with a /tmp; that
    the program keeps to it is then shown nowhere else: who changes where it writes runs this as root.
    """
    try:
        subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"only who may make mounts (CAP_SYS_ADMIN) can close a file system; run it as root: {error}")
    scripts = sysconfig.get_path("scripts")
    env = {**image_environment(), "PATH": f"{scripts}:/usr/sbin:/usr/bin:/sbin:/bin",
           "PROBE": str(Path(__file__).parent / "probe")}

    def call(*words):
        return subprocess.run(["unshare", "--mount", "sh", "-c", CLOSED, "sh", *words], env=env, capture_output=True,
                              text=True, timeout=1200, check=False)

    return call


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("flags", [
    pytest.param(("--executor=local",), id="local"),
    pytest.param(("--executor=ray", "--workers=1"), id="ray", marks=pytest.mark.ray),
])
def test_a_run_writes_nowhere_but_below_tmp(closed, flags):
    done = closed("translate", "run", "--pipeline=sketch2object", "--limit=2", "--output=/tmp/out", "--json", *flags)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["ok"] == 2
