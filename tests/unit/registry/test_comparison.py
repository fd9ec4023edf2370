"""Two published versions side by side; what users see of it is tested with `translate models compare`."""

import json

import pytest
import torch

from translate.config import Domains
from translate.errors import ModelError
from translate.models.contract import build, parse_config
from translate.models.translator import ModelFacts
from translate.registry import ModelRegistry
from translate.registry.comparison import PIPELINE_FILE, compare
from translate.stores import open_store


@pytest.fixture
def registry(tmp_path):
    """With two versions that differ in their pipelines' batch alone."""
    found = ModelRegistry(str(tmp_path))
    name, config = parse_config("generator", {"architecture": "resnet", "width": 4, "blocks": 1}, "test")
    torch.manual_seed(0)
    facts = ModelFacts(name="m", architecture=name, config=config.model_dump(), domains=Domains(a="a", b="b"))
    for batch in (1, 2):
        text = json.dumps({"name": "m", "training": {"batch": batch}}).encode()
        found.publish("m", build("generator", name, config), facts, {PIPELINE_FILE: text})
    return found


def test_the_pipelines_are_compared(registry):
    found = compare(registry, "m@1", "m")
    assert found.models == ("m@1", "m@2")
    assert found.settings == {"pipeline.training.batch": ("1", "2")}


@pytest.mark.parametrize("data", [b"", b'{"name": "m', b"\xff"])
def test_a_damaged_pipeline_is_named(registry, data):
    open_store(registry.url).put(f"m/2/{PIPELINE_FILE}", data)
    with pytest.raises(ModelError, match=r"pipeline\.json of m@2 is damaged: .*copy the model again"):
        compare(registry, "m@1", "m@2")
