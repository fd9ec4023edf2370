"""How much memory there is, in every way in which Linux tells."""

import pytest

from translate.engines.available import available_bytes

GIB = 2**30


@pytest.fixture
def machine(tmp_path):
    """Writes files under a root of its own; the machine has 16 GiB to give."""
    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        return tmp_path

    write({"proc/meminfo": f"MemTotal: 33554432 kB\nMemFree: 1 kB\nMemAvailable:   {16 * 2**20} kB"})
    return write


def test_the_machine_itself(machine):
    assert available_bytes(machine({})) == 16 * GIB
    assert available_bytes(machine({"proc/self/cgroup": "0::/"})) == 16 * GIB


def test_here():
    """On the machine that runs this."""
    there = available_bytes()
    assert there is not None
    assert 2**20 < there < 2**50


def test_another_system(tmp_path):
    assert available_bytes(tmp_path) is None


def test_version_2_with_a_limit_above(machine):
    root = machine({
        "proc/self/cgroup": "0::/pods/one",
        "sys/fs/cgroup/pods/one/memory.max": "max",
        "sys/fs/cgroup/pods/one/memory.current": GIB,
        "sys/fs/cgroup/pods/memory.max": 4 * GIB,
        "sys/fs/cgroup/pods/memory.current": 3 * GIB,
        "sys/fs/cgroup/pods/memory.stat": f"anon {GIB}\ninactive_file {GIB}\nactive_file 5",
    })
    assert available_bytes(root) == 2 * GIB


def test_version_2_in_a_container(machine):
    root = machine({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": 4 * GIB,
                    "sys/fs/cgroup/memory.current": 3 * GIB})
    assert available_bytes(root) == GIB


def test_version_1_in_a_container_that_knows_its_path_outside(machine):
    root = machine({
        "proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/docker/0a1b\n0::/",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": 4 * GIB,
        "sys/fs/cgroup/memory/memory.usage_in_bytes": 3 * GIB,
        "sys/fs/cgroup/memory/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}",
    })
    assert available_bytes(root) == 2 * GIB


def test_no_limit_is_a_very_large_one(machine):
    root = machine({"proc/self/cgroup": "4:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": 2**63 - 4096,
                    "sys/fs/cgroup/memory/memory.usage_in_bytes": GIB})
    assert available_bytes(root) == 16 * GIB


def test_more_used_than_allowed(machine):
    root = machine({"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": GIB,
                    "sys/fs/cgroup/memory.current": 2 * GIB})
    assert available_bytes(root) == 0
