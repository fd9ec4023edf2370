"""What is exported runs at sizes that it was not made with, and gives the same; else it is not left there."""

import pytest
import torch
from engine_networks import translator

from translate.engines import export
from translate.errors import ModelError

NETWORKS = {
    "antialiased": {"architecture": "resnet", "width": 8, "downs": 1, "blocks": 1, "sampling": "antialiased",
                    "residual_output": True, "residual_blur_px": 2},
    "rrdb": {"architecture": "rrdb", "width": 8, "growth": 4, "blocks": 1},
    "unet": {"architecture": "unet", "width": 8, "levels": 5, "norm": "instance", "affine": True, "in_channels": 1},
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("form", export.SUFFIXES)
def test_the_same_at_other_sizes(form, network, tmp_path):
    it = translator(NETWORKS[network])
    written = export.export(it, form, tmp_path / "new folder")
    assert written.path == tmp_path / "new folder" / f"m{export.SUFFIXES[form]}"
    assert written.psnr_db > 80
    x = torch.rand(1, it.in_channels, 5 * it.multiple, 3 * it.multiple) * 2 - 1
    assert (export.run(form, written.path, x) - it.network(x)).abs().max() <= export.LARGEST_DIFFERENCE


def test_another_is_not_left_there(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match=r"m as openvino differs from the model by up to .*so it was not written"):
        export.export(translator(NETWORKS["unet"]), "openvino", tmp_path)
    assert list(tmp_path.iterdir()) == []
