"""Work for all cores is done by one thread, however many ask for it."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from translate.models.threads import on_all_cores, one_thread

JOB = """
import os
import threading
from pathlib import Path
import torch
torch.set_num_threads(3)
from concurrent.futures import ThreadPoolExecutor
from translate.engines.agreement import agreement_db
from translate.engines.torch import TorchEngine
from translate.images.codec import decode
from translate.provenance import Sizes, Work
from translate.registry import open_model
from translate.shipped import shipped_folder
from translate.translation.core import Core

file = next((shipped_folder("samples") / "photos").glob("*.jpg"))
picture = decode(file.read_bytes())
model = open_model("photo2monet", None)
engine = TorchEngine(model, device="cpu", precision="bfloat16")
engine.translate(torch.zeros(1, 3, 64, 64))

def others():
    return len(os.listdir("/proc/self/task")) - threading.active_count()

with_its_team = others()
agreement_db(engine, model, [picture.pixels])
work = Work(model="m", model_digest="", size=200, format="keep", quality=92, pixels="exact", engine=engine.name)
sizes = Sizes(whole_px=10**9, sweep_bytes=None)
with ThreadPoolExecutor(2) as pool:
    core = Core(engine, work, sizes)
    list(pool.map(lambda _: core.translate(picture), range(4)))
    print(others() - with_its_team)
"""


def test_results_and_errors_are_the_callers():
    assert on_all_cores(lambda: 5) == 5
    with pytest.raises(ValueError, match="that"):
        on_all_cores(lambda: int("that"))
    assert on_all_cores(lambda: on_all_cores(lambda: 6)) == 6, "also from within"


def test_it_is_one_thread_for_all_callers():
    with ThreadPoolExecutor(3) as pool:
        names = set(pool.map(lambda _: on_all_cores(lambda: threading.current_thread().name), range(9)))
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_one_thread_gives_back_what_was():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="that"), one_thread():
        int("that")
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts the threads of a process in /proc")
def test_a_job_gives_no_other_thread_a_team():
    def others(job):
        return int(subprocess.run([sys.executable, "-c", job], check=True, stdout=subprocess.PIPE, text=True).stdout)

    assert others(JOB) == others(JOB.replace("set_num_threads(3)", "set_num_threads(1)"))
