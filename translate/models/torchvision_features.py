"""Inception-v3 and VGG-16 as feature networks, with a weights file that the user has: torchvision's state dict.

They are named ``inception-v3=FILE`` and ``vgg16=FILE``. Which weights they are is part of what they call themselves:
the first eight digits of the file's SHA-256, as torchvision puts them into its file names, for example
``inception-v3-0cc3c7bd``. Nothing is fetched.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from translate import lookup
from translate.errors import ModelError
from translate.models.features import FeatureNetwork, Features


class _FromFile(FeatureNetwork):
    trunk: nn.ModuleDict
    head: tuple[str, ...]
    """What the file holds beside the trunk, and features have no use for."""


class InceptionV3(_FromFile):
    """Inception-v3 (Szegedy et al. 2016, arXiv:1512.00567), shown 299 px; 2048 pooled features.

    Torchvision's weights were trained elsewhere than those of the published FID, and resizing differs: figures are
    near those of papers, not equal. The input is taken as it is, in [-1, 1]. Sides of at least 75 px.
    """

    name = "inception-v3"
    side_px = 299
    head = ("AuxLogits", "avgpool", "dropout", "fc")
    _LAYERS = ("maxpool1", "maxpool2", "Mixed_5d", "Mixed_6e", "Mixed_7c")

    def __init__(self) -> None:
        from torchvision.models import inception_v3

        super().__init__()
        whole = inception_v3(weights=None, init_weights=False, aux_logits=False)
        self.trunk = nn.ModuleDict({name: part for name, part in whole.named_children() if name not in self.head})

    def forward(self, x: Tensor) -> Features:
        """See `FeatureNetwork`."""
        layers = []
        for name, part in self.trunk.items():
            x = part(x)
            if name in self._LAYERS:
                layers.append(x)
        return Features(tuple(layers), x.mean(dim=(2, 3)))


class Vgg16(_FromFile):
    """The convolutions of VGG-16 (Simonyan and Zisserman 2015, arXiv:1409.1556); 512 pooled features.

    ``layers`` are the last ReLUs of the five stages, as in LPIPS. The input is normalised with ImageNet's mean and
    deviation.
    """

    name = "vgg16"
    head = ("classifier",)
    mean: Tensor
    deviation: Tensor
    _LAYERS = (3, 8, 15, 22, 29)

    def __init__(self) -> None:
        from torchvision.models.vgg import cfgs, make_layers

        super().__init__()
        self.trunk = nn.ModuleDict({"features": make_layers(cfgs["D"])})
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, x: Tensor) -> Features:
        """See `FeatureNetwork`."""
        x = ((x + 1) / 2 - self.mean) / self.deviation
        layers = []
        for index, part in enumerate(self.trunk["features"].children()):
            x = part(x)
            if index in self._LAYERS:
                layers.append(x)
        return Features(tuple(layers), layers[-1].mean(dim=(2, 3)))


NETWORKS: dict[str, type[_FromFile]] = {InceptionV3.name: InceptionV3, Vgg16.name: Vgg16}


def open_from_file(name: str, file: str) -> FeatureNetwork:
    """One of `NETWORKS` with the weights in ``file``; its name gets the file's digest.

    Raises `UnknownNameError` for another name, `ModelError` for a file that is missing or holds something else.
    """
    if name not in NETWORKS:
        raise lookup.unknown("feature network with a weights file", name, NETWORKS)
    path = Path(file)
    if not path.is_file():
        raise ModelError(f"there is no weights file {file!r} for feature network {name!r}; give torchvision's "
                         f"state dict of it, as {name}=FILE")
    data = path.read_bytes()
    network = NETWORKS[name]()
    try:
        state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        network.trunk.load_state_dict({key: value for key, value in state.items()
                                       if key.split(".")[0] not in network.head})
    except (RuntimeError, UnpicklingError, EOFError, AttributeError) as error:
        raise ModelError(f"{file} doesn't hold the weights of feature network {name!r}, a state dict as torchvision "
                         f"saves it: {str(error).splitlines()[0]}") from error
    network.name = f"{name}-{hashlib.sha256(data).hexdigest()[:8]}"
    return network
