"""The same image gives the same bytes, whatever the threads, the batch and the company."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from translate.config import Domains
from translate.engines.agreement import psnr_db
from translate.engines.torch import TorchEngine, has_bfloat16, pick_device
from translate.errors import UsageError
from translate.images.codec import decode
from translate.images.resize import resize
from translate.images.tensors import to_pixels, to_tensor
from translate.models.contract import build, parse_config
from translate.models.threads import _thread
from translate.models.translator import ModelFacts, Translator

PICTURE = Path(__file__).parents[2] / "golden" / "input.png"
needs_amx = pytest.mark.skipif(not has_bfloat16("cpu"), reason="this processor has no bfloat16 in hardware")
PRECISIONS = ["float32", pytest.param("bfloat16", marks=needs_amx)]
NETWORKS = [
    {"architecture": "resnet", "width": 64, "blocks": 1},
    {"architecture": "resnet", "width": 32, "blocks": 2, "sampling": "antialiased", "residual_output": True},
    {"architecture": "resnet", "width": 48, "blocks": 1, "norm": "batch"},
    {"architecture": "resnet", "width": 13, "blocks": 1},
    {"architecture": "unet", "width": 32, "levels": 6},
    {"architecture": "unet", "width": 64, "levels": 3, "norm": "instance"},
]


def translator(options):
    name, config = parse_config("generator", options, "test")
    torch.manual_seed(0)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    return Translator(build("generator", name, config), facts)


def picture(height, width):
    return to_tensor(resize(decode(PICTURE.read_bytes()).pixels, height, width, how="auto"))[None]


@pytest.fixture
def threads():
    def put(count):
        torch.set_num_threads(count)
        _thread.cache_clear()

    before = torch.get_num_threads()
    yield put
    put(before)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("options", NETWORKS, ids=str)
def test_the_number_of_threads_does_not_matter(options, precision, threads):
    engine = TorchEngine(translator(options), device="cpu", precision=precision)
    for height, width in ((8, 8), (100, 132), (64, 12)):
        outputs = []
        for count in (1, 2, 3, 4):
            threads(count)
            outputs.append(engine.translate(picture(height, width)))
            assert torch.get_num_threads() == count
        assert all(torch.equal(outputs[0], other) for other in outputs[1:]), (height, width)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_company_does_not_matter(precision):
    engine = TorchEngine(translator(NETWORKS[0]), device="cpu", precision=precision)
    x = torch.cat([picture(64, 96), picture(64, 96).flip(3), -picture(64, 96)])
    together = engine.translate(x)
    assert together.shape == x.shape
    for index in range(3):
        assert torch.equal(engine.translate(x[index : index + 1])[0], together[index])
    with ThreadPoolExecutor(3) as pool:
        at_once = torch.cat(list(pool.map(engine.translate, x.split(1))))
    assert torch.equal(at_once, together)


NARROW = """
import test_torch_engine as tests
for options in tests.NETWORKS:
    it = tests.translator(options)
    engine = tests.TorchEngine(it, device="cpu", precision="bfloat16")
    for height, width in ((400, 3), (500, 64), (3, 400), (64, 12)):
        x = tests.picture(height, width)
        found, wanted = (tests.to_pixels(run(x)[0]) for run in (engine.translate, it))
        assert tests.psnr_db(found, wanted) > 30, (options, height, width)
"""


@needs_amx
def test_memory_that_nobody_has_written_is_not_in_narrow_pictures():
    filled = {**os.environ, "MALLOC_PERTURB_": "128", "PYTHONPATH": str(Path(__file__).parent)}  # glibc: all bytes 0x7f
    done = subprocess.run([sys.executable, "-c", NARROW], env=filled, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_float32_is_the_translator():
    it = translator(NETWORKS[1])
    engine = TorchEngine(it, device="cpu", precision="float32")
    x = picture(37, 50)
    assert (engine.translate(x) - it(x)).abs().max() < 1e-5
    assert engine.name == "torch-float32"
    assert it.network is not engine.translator.network


@pytest.mark.parametrize("options", [
    {"width": 16, "blocks": 6},
    {"width": 16, "blocks": 6, "sampling": "antialiased", "residual_output": True},
], ids=["tanh", "residual"])
def test_bfloat16_is_close_to_float32_on_a_network_that_learned_something(options):
    """Trained for a moment to brighten and sharpen, so that its weights are not the first ones."""
    it = translator({"architecture": "resnet", **options})
    x = picture(48, 64)
    wanted = (1.3 * x + 0.2 + 0.5 * (x - F.avg_pool2d(x, 5, 1, 2))).clamp(-1, 1)
    network = it.network.requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    losses = []
    for _ in range(30):
        loss = F.l1_loss(network(x), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], "it learned nothing"
    it.network.requires_grad_(False)
    full, brief = (TorchEngine(it, device="cpu", precision=precision).translate(x)[0]
                   for precision in ("float32", "bfloat16"))
    assert not torch.equal(full, brief)
    assert psnr_db(to_pixels(full), to_pixels(brief)) >= 40


def test_compat_is_the_translators_and_needs_float32():
    it = translator({"architecture": "unet", "width": 8, "levels": 6, "dropout": True})
    x = picture(64, 64)
    engine = TorchEngine(it, device="cpu", precision="float32")
    assert (engine.compat(x, seed=1) - it.compat(x, seed=1)).abs().max() < 1e-5
    assert torch.equal(engine.compat(torch.cat([-x, x]), seed=1)[1], engine.compat(x, seed=1)[0])
    with pytest.raises(UsageError, match="float32"):
        TorchEngine(it, device="cpu", precision="bfloat16").compat(x, seed=1)


def test_choices_of_auto():
    engine = TorchEngine(translator(NETWORKS[3]))
    assert engine.device == pick_device("auto")
    assert engine.precision == ("bfloat16" if has_bfloat16(engine.device) else "float32")
    assert engine.concurrency == (torch.get_num_threads() if engine.name == "torch-float32" else 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there():
    with pytest.raises(UsageError, match=r"device 'cuda' is not available here; this machine has: .*cpu"):
        TorchEngine(translator(NETWORKS[3]), device="cuda")


SIZES = """
import torch
from engine_networks import translator
from translate.engines.torch import TorchEngine

engine = TorchEngine(translator({"architecture": "resnet", "width": 4, "blocks": 1}), device="cpu", precision="float32")
for side in (24, 24, *range(28, 428, 4), 24):
    print("size", flush=True)
    engine.translate(torch.zeros(1, 3, side, 24))
"""


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_layers_prepared_for_a_size_are_kept_and_dropped_again():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("CACHE_CAPACITY")}
    environment |= {"ONEDNN_VERBOSE": "profile_create", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", SIZES], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    prepared = [each.count("create:cache_miss") for each in said.stdout.split("size\n")[1:]]
    assert prepared[0] > 0
    assert prepared[1] == 0, "the same size again"
    assert prepared[-1] > 0, "dropped after a hundred others"
