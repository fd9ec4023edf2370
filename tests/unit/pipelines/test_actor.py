"""What a worker takes over from the driver, and what it refuses."""

from dataclasses import replace

import pytest
from jobs import fill, make_job, publish_tiny

from pipelines import _actor
from pipelines._actor import Actor, Program, Settings
from translate.batch.run import prepare
from translate.errors import ModelError, UsageError
from translate.images import credentials
from translate.registry import fetch_model
from translate.stores import open_store
from translate.stores.file import FileStore


@pytest.fixture
def task(tmp_path):
    fill(open_store(str(tmp_path / "in")), 1)
    registry = publish_tiny(tmp_path / "models")
    return prepare(make_job(open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out")), registry)).task


def test_settings_are_those_that_mean_the_same_elsewhere_and_are_not_shown(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SESSION_TOKEN",
                 "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"):
        monkeypatch.setenv(name, "/here/only")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    settings = Settings.here()
    assert settings.values["AWS_SECRET_ACCESS_KEY"] == "hush"
    assert {name for name, value in settings.values.items() if value == "/here/only"} == {"AWS_SESSION_TOKEN"}
    assert "hush" not in repr(settings)


def test_the_drivers_keys_are_not_mixed_with_a_token_of_the_machine(monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of other keys")
    for name in ("AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.setenv(name, "of this machine")
    Settings({"AWS_REGION": "nowhere-1"}).take_over()
    assert _actor.os.environ["AWS_SESSION_TOKEN"] == "of other keys", "without keys the machine has its own"
    Settings({"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "hush"}).take_over()
    assert _actor.os.environ["AWS_SECRET_ACCESS_KEY"] == "hush"
    assert not set(_actor._OF_OTHER_KEYS) & set(_actor.os.environ)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Give each test an environment of its own to change."""
    monkeypatch.setattr(_actor.os, "environ", dict(_actor.os.environ))


def test_another_program_is_refused():
    _actor.refuse_another(Program.here(), Program.here())
    with pytest.raises(UsageError, match=r"node .* has translate .* with Python .*, but the command runs translate 9"):
        _actor.refuse_another(replace(Program.here(), version="9.9.9"), Program.here())


def test_a_folder_that_is_not_on_the_machine_is_refused_before_the_first_image(task, tmp_path):
    elsewhere = replace(task, source=FileStore(tmp_path / "unshared"))
    with pytest.raises(UsageError, match=r"the folder .*/unshared is not on node .* or a bucket"):
        Actor().load(elsewhere, fetch_model(task.model, task.registry_url), Settings({}))


def test_a_machine_without_the_key_that_outputs_are_signed_with_says_so_before_the_first_image(task):
    signed = replace(task, work=task.work.model_copy(update={"mark": f"{task.work.mark}+{credentials.VERSION}"}))
    with pytest.raises(UsageError, match=r"node .* can't do this run's work: TRANSLATE_C2PA_CERTIFICATES is not set"):
        Actor().load(signed, fetch_model(task.model, task.registry_url), Settings({}))


def test_weights_that_were_damaged_on_their_way_are_refused(task):
    model = fetch_model(task.model, task.registry_url)
    with pytest.raises(ModelError, match="damaged: its digest is"):
        Actor().load(task, replace(model, data=model.data[:-4] + b"\0\0\0\1"), Settings({}))


def test_without_cuda_a_worker_with_a_gpu_says_so(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="PyTorch finds no CUDA there"):
        _actor.engine_here("auto")
    assert _actor.engine_here("cpu").startswith("torch-")
