"""The networks that a configuration names."""

import pytest

from translate.config import Training, validate
from translate.errors import ConfigError
from translate.objectives.contract import build_objective
from translate.training.networks import build_networks

TINY = {
    "objective": {"name": "cyclegan"},
    "generator": {"architecture": "resnet", "width": 4, "blocks": 1, "residual_output": True},
    "discriminator": {"architecture": "patchgan", "width": 4, "layers": 1},
    "data": {"kind": "unpaired", "short_side_px": [32, 48], "crop_px": 32},
    "images": 4, "batch": 2,
}


def networks(**changes):
    training = validate(Training, TINY | changes, "test")
    return build_networks(training, build_objective(training.objective, "test"))


def test_the_way_back_may_differ():
    _, architecture, configs = networks(reverse_generator={"residual_output": False, "blocks": 2})
    assert architecture == "resnet"
    assert (configs["G_ab"].residual_output, configs["G_ab"].blocks) == (True, 1)
    assert (configs["G_ba"].residual_output, configs["G_ba"].blocks) == (False, 2)


@pytest.mark.parametrize(("changes", "words"), [
    ({"reverse_generator": {"architecture": "unet"}}, "one architecture"),
    ({"generator": TINY["generator"] | {"in_channels": 1}}, "in_channels follow"),
    ({"data": TINY["data"] | {"crop_px": 30}}, "multiple of 4"),
])
def test_what_cannot_be_is_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        networks(**changes)
