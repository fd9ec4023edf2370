"""What OpenVINO makes of a network, as it says itself."""

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
