"""Feature networks with a weights file: against torchvision's own networks with the same random weights."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn
from torchvision.models import inception_v3, vgg16

from translate.errors import ModelError, UnknownNameError
from translate.models.features import open_features


@pytest.fixture(scope="module")
def image():
    return torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """Torchvision's network as its weights are published, with the auxiliary head, and its file."""
    torch.manual_seed(0)
    network = inception_v3(weights=None, init_weights=False).eval()
    file = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), file)
    return network, file


def test_inception_is_torchvisions(inception, image):
    network, file = inception
    found = open_features(f"inception-v3={file}")
    assert found.name == f"inception-v3-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"
    assert (found.side_px, found.training) == (299, False)
    network.fc = nn.Identity()
    with torch.no_grad():
        features = found(image)
        torch.testing.assert_close(features.pooled, network(image))
    assert [layer.shape[1] for layer in features.layers] == [64, 192, 288, 768, 2048]
    assert not any(parameter.requires_grad for parameter in found.parameters())


def test_vgg_is_torchvisions(tmp_path, image):
    torch.manual_seed(0)
    network = vgg16(weights=None, init_weights=False).features
    # The classifier's 120 million weights are dropped on loading; one of them stands for all.
    torch.save({**{f"features.{key}": value for key, value in network.state_dict().items()},
                "classifier.0.bias": torch.zeros(4096)}, tmp_path / "vgg.pth")
    found = open_features(f"vgg16={tmp_path / 'vgg.pth'}")
    unit = (image + 1) / 2
    normalised = (unit - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        features = found(image)
        torch.testing.assert_close(features.layers[-1], network[:30](normalised))
    assert [tuple(layer.shape[1:]) for layer in features.layers] == [
        (64, 96, 96), (128, 48, 48), (256, 24, 24), (512, 12, 12), (512, 6, 6)]
    torch.testing.assert_close(features.pooled, features.layers[-1].mean(dim=(2, 3)))


def test_wrong_files_are_named(inception, tmp_path):
    with pytest.raises(ModelError, match=r"there is no weights file 'gone\.pth' for feature network 'inception-v3'"):
        open_features("inception-v3=gone.pth")
    with pytest.raises(ModelError, match="comes without weights; give torchvision's file, as vgg16=FILE"):
        open_features("vgg16")
    with pytest.raises(ModelError, match="doesn't hold the weights of feature network 'vgg16'"):
        open_features(f"vgg16={inception[1]}")
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    with pytest.raises(ModelError, match=r"page\.pth doesn't hold the weights"):
        open_features(f"vgg16={tmp_path / 'page.pth'}")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match=r"list\.pth doesn't hold the weights"):
        open_features(f"vgg16={tmp_path / 'list.pth'}")
    with pytest.raises(UnknownNameError, match="with a weights file 'mobilenet-v2'; known: inception-v3, vgg16"):
        open_features("mobilenet-v2=some.pth")
