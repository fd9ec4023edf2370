"""The networks that a configuration names."""

import pytest
import torch
from training_set import TINY

from translate.config import Training, validate
from translate.engines.torch import has_bfloat16
from translate.errors import ConfigError, UsageError
from translate.objectives.contract import build_objective
from translate.training.networks import build_networks, device_of, precision_of

RESIDUAL = TINY | {"generator": TINY["generator"] | {"residual_output": True}}


def networks(**changes):
    training = validate(Training, RESIDUAL | changes, "test")
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


def test_a_device_that_is_not_there_is_refused():
    assert device_of("cpu").type == "cpu"
    if torch.cuda.is_available():
        assert device_of("auto").type == "cuda"
    else:
        assert device_of("auto").type == "cpu"
        with pytest.raises(UsageError, match="'cuda' is not available here"):
            device_of("cuda")


def test_a_precision_that_was_asked_for_is_taken():
    cpu = torch.device("cpu")
    assert precision_of("float32", cpu) == "float32"
    assert precision_of("bfloat16", cpu) == "bfloat16"
    assert precision_of("auto", cpu) == ("bfloat16" if has_bfloat16("cpu") else "float32")
