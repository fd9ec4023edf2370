"""Freed memory stays with the process, so that the next tensor finds it."""

import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from translate.training.allocator import keep_freed_memory
if {kept}:
    keep_freed_memory()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for turn in range(15):  # the first ones find no place yet that is large enough
    if turn == 10:
        before = faults()
    torch.ones(2**24)
print(faults() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told")
def test_large_tensors_are_not_asked_of_the_system_again():
    given_back, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], capture_output=True, check=True).stdout)
        for kept in (False, True))
    assert kept < 0.1 * given_back
