"""A published model carries its whole game, and a training begins from it."""

import pytest
import torch
from reference_networks import ResnetReference
from safetensors.torch import load as load_tensors
from training_set import TINY, WAVES

from translate.config import Pipeline, validate
from translate.errors import ConfigError
from translate.registry import ModelRegistry, open_model
from translate.stores import open_store
from translate.training import roles
from translate.training.loop import train
from translate.training.publish import publish
from translate.training.roles import read_beginning


def pipeline(**changes):
    training = TINY | {"images": 4, "precision": "float32"} | changes
    return validate(Pipeline, WAVES | {"training": training}, "test")


@pytest.fixture
def registry(data, tmp_path):
    """With one model that was trained on, ``waves@1``."""
    found = ModelRegistry(str(tmp_path / "models"))
    trained = train(pipeline().training, data, open_store(str(tmp_path / "first")))
    publish(trained, pipeline(), found, "waves", "data")
    return found, trained


def test_every_role_comes_back_as_it_was(registry):
    found, trained = registry
    begin = read_beginning("waves", found.url, "G_ab")
    assert begin.reference == "waves@1"
    assert begin.roles.keys() == trained.networks.keys() == {"G_ab", "G_ba", "D_a", "D_b"}
    for role, network in trained.networks.items():
        for key, tensor in network.state_dict().items():
            assert torch.equal(begin.roles[role][key], tensor), f"{role}/{key}"


def test_a_pointer_that_moves_meanwhile_mixes_no_two_versions(registry, monkeypatch):
    found, trained = registry
    with torch.no_grad():
        for network in (trained.networks["D_a"], *trained.generators.values()):
            for parameter in network.parameters():
                parameter.add_(1)
    publish(trained, pipeline(), found, "waves", "data")
    found.promote("waves@1")

    def opened(*reference):
        model = open_model(*reference)
        found.promote("waves@2")
        return model

    monkeypatch.setattr(roles, "open_model", opened)
    begin = read_beginning("waves", found.url, "G_ab")
    assert found.pointers("waves").champion == 2
    assert begin.reference == "waves@1"
    first = load_tensors(found.file("waves@1", roles.ROLES_FILE))
    for key, tensor in begin.roles["D_a"].items():
        assert torch.equal(tensor, first[f"D_a/{key}"])


def test_a_training_begins_from_them_and_says_so(registry, data, tmp_path):
    found, trained = registry
    begin = read_beginning("waves@1", found.url, "G_ab")
    still = pipeline(learning_rate=1e-12, seed=5).training
    later = train(still, data, open_store(str(tmp_path / "later")), begin=begin)
    for key, tensor in trained.networks["D_a"].state_dict().items():
        torch.testing.assert_close(later.networks["D_a"].state_dict()[key], tensor)
    assert publish(later, pipeline(), found, "waves", "data")[0] == "waves@2"
    assert found.document("waves@2").provenance["parent"] == "waves@1"


def test_a_training_from_elsewhere_is_another_training(registry, data, tmp_path):
    found, trained = registry
    begin = read_beginning("unwaves@1", found.url, "G_ab")
    later = train(pipeline().training, data, open_store(str(tmp_path / "later")), begin=begin)
    assert later.config_digest != trained.config_digest


def test_a_folder_of_a_model_does_as_well(registry, tmp_path):
    _, trained = registry
    begin = read_beginning(f"{tmp_path}/models/waves/1/", None, "G_ab")
    assert begin.roles.keys() == trained.networks.keys()


def test_a_generator_alone_takes_the_first_role_and_the_others_stay_random(tmp_path):
    torch.save(ResnetReference(width=8, blocks=6).state_dict(), tmp_path / "latest_net_G.pth")
    begin = read_beginning(str(tmp_path / "latest_net_G.pth"), None, "G_ab")
    assert begin.roles.keys() == {"G_ab"}


def test_a_generator_without_its_game_leaves_the_discriminators_to_be_others(registry):
    found, trained = registry
    begin = read_beginning("waves@1", found.url, "G_ab", generator_alone=True)
    assert begin.roles.keys() == {"G_ab"}
    for key, tensor in trained.generators["G_ab"].state_dict().items():
        assert torch.equal(begin.roles["G_ab"][key], tensor), key


def test_another_width_is_refused_by_name(registry, data, tmp_path):
    found, _ = registry
    wider = pipeline(generator={"architecture": "resnet", "width": 8, "blocks": 1}).training
    with pytest.raises(ConfigError, match=r"waves@1 does not fit this pipeline's G_ab: .*width"):
        train(wider, data, open_store(str(tmp_path / "wider")), begin=read_beginning("waves", found.url, "G_ab"))


def test_another_game_is_refused_by_its_roles(registry, data, tmp_path):
    found, _ = registry
    paired = pipeline(objective={"name": "pix2pix"},
                      data={"kind": "paired", "short_side_px": [48, 48], "crop_px": 32}).training
    with pytest.raises(ConfigError, match=r"D_a, .*this game's roles"):
        train(paired, data, open_store(str(tmp_path / "paired")), begin=read_beginning("waves", found.url, "G_ab"))
