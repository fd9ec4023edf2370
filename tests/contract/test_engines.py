"""Every engine in the folder: shapes, sizes, company, threads, and agreement with PyTorch in float32."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import engine_networks
import numpy as np
import pytest
import torch

from translate.engines.agreement import psnr_db
from translate.engines.calibration import calibrate
from translate.engines.opening import declared, engine_kinds, engine_names, open_engine, refuse_unknown
from translate.engines.openvino import has_bfloat16, name_of
from translate.engines.torch import has_bfloat16 as torch_has_bfloat16
from translate.errors import ModelError, UnknownNameError, UsageError
from translate.images.codec import decode
from translate.images.tensors import to_pixels, to_tensor

PIXELS = decode((Path(__file__).parents[1] / "golden" / "input.png").read_bytes()).pixels
NETWORKS = {
    "resnet": {"architecture": "resnet", "width": 8, "blocks": 2},
    "antialiased": {"architecture": "resnet", "width": 8, "downs": 1, "blocks": 1, "sampling": "antialiased",
                    "residual_output": True, "residual_blur_px": 2},
    "rrdb": {"architecture": "rrdb", "width": 8, "growth": 4, "blocks": 1},
    "unet": {"architecture": "unet", "width": 8, "levels": 5},
    "grey": {"architecture": "unet", "width": 8, "levels": 3, "norm": "instance", "in_channels": 1},
}
THERE = {
    "torch-bfloat16": torch_has_bfloat16("cpu"), "openvino-bfloat16": has_bfloat16(),
    "torch-cuda-float32": torch.cuda.is_available(), "torch-cuda-bfloat16": torch.cuda.is_available(),
    "torch-mps-float32": torch.backends.mps.is_available(),
}


@cache
def translator(network):
    return engine_networks.translator(NETWORKS[network])


@cache
def calibrated(network):
    return calibrate(translator(network), [PIXELS, PIXELS[::-1], PIXELS[:, ::-1]])


# Whatever machine these run on: what it has not is reported as skipped, and what it has is tested.
NAMES = [pytest.param(name, marks=pytest.mark.skipif(not THERE.get(name, True), reason=f"this machine has no {name}"))
         for name in engine_names()]
CALIBRATED = ("resnet", "grey")
"""Networks to test in int8: calibrating takes seconds, and these two show it (other channels, other layers)."""


@cache
def engine(name, network):
    if name.endswith("int8"):
        return open_engine(name_of(calibrated(network)), translator(network), calibrated(network))
    return open_engine(name, translator(network))


def picture(channels, height=90, width=110):
    return to_tensor(PIXELS)[None, :channels, :height, :width]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_the_folder_is_listed():
    assert {"torch", "openvino"} <= set(engine_kinds())
    assert all(name.split("-")[0] in engine_kinds() for name in engine_names())


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match=r"unknown engine 'openvino-bfloat'.*Did you mean 'openvino-bfloat16'"):
        refuse_unknown("openvino-bfloat")
    assert refuse_unknown("openvino-int8-0123456789abcdef")
    with pytest.raises(UnknownNameError, match="unknown engine 'other-int8-0123456789abcdef'"):
        refuse_unknown("other-int8-0123456789abcdef")


@pytest.mark.parametrize(("name", "network"), [
    pytest.param(*name.values, network, marks=name.marks, id=f"{name.values[0]}-{network}")
    for name in NAMES for network in (CALIBRATED if name.values[0].endswith("int8") else NETWORKS)
])
def test_agrees_with_float32_at_any_size(name, network):
    it = engine(name, network)
    assert it.name.startswith(name)
    assert pickle.loads(pickle.dumps(it.name)) == it.name
    assert it.concurrency >= 1
    assert (it.device, it.precision) == (declared(it.name).device, declared(it.name).precision)
    for size in ((90, 110), (37, 53), (1, 1), (64, 7)):
        x = picture(it.translator.in_channels, *size)
        wanted, found = translator(network)(x), it.translate(x)
        assert found.shape == wanted.shape
        assert found.dtype == torch.float32
        assert found.abs().max() <= 1
        if min(size) > 8:  # a norm over very few pixels gives anything
            # Weights drawn at random make int8 err more than trained ones do.
            least = 28 if it.precision == "int8" else declared(name).least_db
            assert psnr_db(to_pixels(found[0]), to_pixels(wanted[0])) >= least


def test_neither_company_nor_threads_matter(name):
    it = engine(name, "resnet")
    x = torch.cat([picture(3), picture(3).flip(3), -picture(3)])
    together = it.translate(x)
    for index in range(3):
        alone = it.translate(x[index : index + 1])[0]
        if it.device == "cpu":
            assert torch.equal(alone, together[index])
        else:  # a GPU may compute another number of images another way
            assert psnr_db(to_pixels(alone), to_pixels(together[index])) >= declared(name).least_db
    it.translate(picture(3, 37, 53))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(it.translate, [x] * 4):
            assert torch.equal(found, together)


@pytest.mark.parametrize("name", [
    name for name in NAMES if name.values[0] in ("openvino-float32", "openvino-bfloat16")
])
def test_openvinos_bits_do_not_depend_on_the_number_of_threads(name):
    before = torch.get_num_threads()
    wanted = engine(name, "resnet").translate(picture(3))
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found = open_engine(name, translator("resnet")).translate(picture(3))
            assert torch.equal(found, wanted)
    finally:
        torch.set_num_threads(before)


def test_int8_has_the_weights_that_its_name_says():
    ours = calibrated("grey")
    with pytest.raises(ModelError, match="needs its calibrated weights, but none are there"):
        open_engine(name_of(ours), translator("grey"))
    with pytest.raises(ModelError, match=f"those that are there are {name_of(ours)}"):
        open_engine("openvino-int8-0123456789abcdef", translator("grey"), ours)
    broken = ours[:-30]
    with pytest.raises(ModelError, match="calibrated weights are damaged"):
        open_engine(name_of(broken), translator("grey"), broken)


def test_calibration_needs_images():
    with pytest.raises(UsageError, match="none could be read"):
        calibrate(translator("unet"), [])


def test_only_float32_of_torch_reproduces_other_programs(name):
    it = engine(name, "grey")
    if it.name.startswith("torch") and it.precision == "float32":
        assert it.compat(picture(1, 64, 64), seed=1).shape == (1, 3, 64, 64)
    else:
        with pytest.raises(UsageError, match="compat"):
            it.compat(picture(1, 64, 64), seed=1)


def test_the_pictures_are_real():
    assert np.ptp(PIXELS) > 200
