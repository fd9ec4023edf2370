"""What OpenVINO makes of a network, as it says itself."""

import os
import subprocess
import sys

import engine_networks
import pytest

from translate.engines.openvino import OpenVinoEngine, has_bfloat16

UNET = {"architecture": "unet", "width": 16, "levels": 5}
RESNET = {"architecture": "resnet", "width": 16, "blocks": 1}


@pytest.mark.skipif(not has_bfloat16(), reason="this processor has no bfloat16 in hardware")
@pytest.mark.parametrize("options", [UNET, {**UNET, "norm": "instance"}, RESNET], ids=str)
def test_every_convolution_is_in_bfloat16(options):
    engine = OpenVinoEngine(engine_networks.translator(options), "bfloat16")
    nodes = [node.get_rt_info() for node in engine._padded.network._compiled.get_runtime_model().get_ops()]
    convolutions = [node["runtimePrecision"].astype(str) for node in nodes
                    if node["layerType"].astype(str) in ("Convolution", "Deconvolution")]
    assert len(convolutions) >= 6
    assert set(convolutions) == {"bf16"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_is_told_instead_of_waiting_for_ever():
    script = """
import os, torch
from engine_networks import translator
from translate.engines.openvino import OpenVinoEngine
from translate.errors import UsageError
model = translator({"architecture": "resnet", "width": 4, "blocks": 1})
engine = OpenVinoEngine(model, "float32")
x = torch.zeros(1, 3, 64, 64)
engine.translate(x)
if os.fork():
    engine.translate(x)
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
for use in (lambda: engine.translate(x), lambda: OpenVinoEngine(model, "float32")):
    try:
        use()
    except UsageError:
        continue
    os._exit(1)
os._exit(0)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, timeout=200, check=False).returncode == 0


QUIET = """
import sys
from pathlib import Path

from translate.engines.openvino import load

load()
import nncf

assert sys.modules["openvino_telemetry"] is None
print([path.name for path in Path.home().rglob("*") if path.is_file()])
"""


def test_nothing_is_reported_and_no_identifier_is_kept(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run([sys.executable, "-c", QUIET], env=environment, capture_output=True, text=True, timeout=200,
                          check=False)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
