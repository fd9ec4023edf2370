"""The commands of ``deploy/`` run as they are written there, in processes.

What differs is the environment, as it would elsewhere: where the program and the pipeline lie, ports, the bucket's
address, and folders where units and jobs have buckets.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sysconfig
import time
import urllib.request
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError
from jobs import picture
from manifests import FOLDER, argv, compose, entrypoint, unit
from s3_server import _free_ports
from training_set import WAVES, fill

from translate.errors import EXIT_TERMINATED
from translate.registry import ModelRegistry
from translate.stores import open_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PIPELINE = "/etc/translate/pipeline.yaml"
BIN = sysconfig.get_path("scripts")
KEYS = {"S3_ACCESS_KEY": "compose-test", "S3_SECRET_KEY": "not-a-secret-of-anybody"}


def here(words, replaced):
    """A command as it is run on this machine; ``replaced`` are texts that differ here."""
    found = []
    for word in words:
        for old, new in replaced.items():
            word = word.replace(old, str(new))
        found.append(word)
    return [str(Path(BIN, Path(found[0]).name)), *found[1:]]


def start(words, environment, **options):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_"))}
    return subprocess.Popen(words, env={**kept, **environment, "PATH": f"{BIN}:{os.environ['PATH']}"}, text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def ended(words, environment, **options):
    """(exit code, JSON lines of stdout, stderr)."""
    out, err = (process := start(words, environment, **options)).communicate(timeout=1200)
    return process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err


def until(process, *names):
    """The next event on stdout with one of these names."""
    for line in process.stdout:
        if (event := json.loads(line))["event"] in names:
            return event
    raise AssertionError(process.communicate()[1])


class Stack:
    """The services of the Compose file as processes: ``weed`` on free ports, the others by ``words`` and ``env``."""

    def __init__(self, folder):
        master, volume, filer, s3 = _free_ports(4)
        self.replaced = {
            "-ip=seaweedfs": "-ip=127.0.0.1", "0.0.0.0": "127.0.0.1", "-dir=/data": f"-dir={folder}",
            "-logdir=/tmp": f"-logdir={folder}", "-s3.port=8333": f"-s3.port={s3}", "127.0.0.1:8333": f"127.0.0.1:{s3}",
            "seaweedfs:8333": f"127.0.0.1:{s3}", PIPELINE: FOLDER / "pipeline.yaml", "9400": "0",
        }
        ports = [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"]
        self.weed = subprocess.Popen([*self.words("seaweedfs"), *ports], env={**os.environ, **self.env("seaweedfs")},
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def words(self, name):
        return here(argv(compose()[name]), self.replaced)

    def env(self, name, **keys):
        """The service's environment, with what stands in it for a variable."""
        def fill(value):
            return re.sub(r"\$\{(\w+):\?.*?\}", lambda found: {**KEYS, **keys}[found[1]], value)

        values = compose()[name]["environment"]
        return dict(zip(values, here(["", *map(fill, values.values())], self.replaced)[1:], strict=True))

    def is_healthy(self):
        *_, url = here(["", *compose()["seaweedfs"]["healthcheck"]["test"]], self.replaced)
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except OSError:
            return False

    def client(self, **keys):
        env = self.env("run", **keys)
        return boto3.session.Session().client(
            "s3", endpoint_url=env["AWS_ENDPOINT_URL_S3"], aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def stack(tmp_path):
    running = Stack(tmp_path)
    try:
        until_s = time.monotonic() + 120
        while not running.is_healthy():
            assert time.monotonic() < until_s
            assert running.weed.poll() is None
            time.sleep(0.5)
        yield running
    finally:
        running.weed.kill()
        running.weed.wait()


@pytest.mark.s3
def test_what_compose_starts(stack):
    for _ in range(2):  # each `up` makes sure of the bucket
        code, _, err = ended(stack.words("bucket"), stack.env("bucket"))
        assert code == 0, err
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        stack.client(S3_SECRET_KEY="another").list_objects_v2(Bucket="translate")
    client = stack.client()
    client.put_object(Bucket="translate", Key="in/a.png", Body=picture(1))
    code, events, err = ended(stack.words("run"), stack.env("run"))
    assert code == 0, err
    assert [(event["event"], event["ok"]) for event in events] == [("summary", 1)]
    watch = start(stack.words("watch"), stack.env("watch"))
    try:
        port = json.loads(watch.stderr.readline())["url"].split(":")[2].split("/")[0]
        assert until(watch, "nothing_to_do")
        check = [word.replace("9400", port) for word in compose()["watch"]["healthcheck"]["test"][1:]]
        assert ended(here(check, {}), {})[0] == 0
        watch.send_signal(signal.SIGTERM)
        _, err = watch.communicate(timeout=240)
        assert watch.returncode == EXIT_TERMINATED, err
    finally:
        watch.kill()
    assert client.head_object(Bucket="translate", Key="out/a.png")["ContentLength"] > 0
    schedule = start(stack.words("schedule"), stack.env("schedule"))
    try:
        assert until(schedule, "scheduled")["schedule"] == "0 3 * * sun"
        schedule.send_signal(signal.SIGTERM)
        schedule.communicate(timeout=240)
        assert schedule.returncode == EXIT_TERMINATED
    finally:
        schedule.kill()


@pytest.fixture
def place(tmp_path):
    """A pipeline that is trained in seconds and due at once, pictures for it, and the URLs that settings hold."""
    fill(open_store(str(tmp_path / "set")), 40)
    shutil.copytree(tmp_path / "set" / "trainA", tmp_path / "in")
    values = {**WAVES, "model": "waves", "retraining": {"new_images": 1, "holdout": {"share": 0.3},
                                                        "gate": {"subsets": 8}}}
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def settings(place):
    """What ConfigMap or EnvironmentFile would hold, with folders for buckets."""
    names = {"INPUT_URL": "in", "OUTPUT_URL": "out", "DATA_URL": "set", "STATE_URL": "state",
             "TRANSLATE_REGISTRY": "models"}
    urls = {name: f"{place / folder}/" for name, folder in names.items()}
    return {**urls, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}


def of_unit(name, place):
    """What systemd would run, with the variables of its EnvironmentFile in their places."""
    line = unit(name)["Service"]["ExecStart"][0]
    return here([re.sub(r"\$\{(\w+)\}", lambda found: settings(place)[found[1]], word) for word in shlex.split(line)],
                {PIPELINE: place / "pipeline.yaml", "9400": "0"})


def test_what_systemd_starts(place):
    registry = ModelRegistry(settings(place)["TRANSLATE_REGISTRY"])
    registry.gate("waves", expected=registry.pointers("waves"))  # as the first retraining would
    watch = start(of_unit("translate-watch.service", place), settings(place), cwd=place)
    assert "'waves' has no champion" in watch.communicate(timeout=240)[1]
    assert str(watch.returncode) in unit("translate-watch.service")["Service"]["RestartPreventExitStatus"]
    for states in ({"promoted", "kept"}, {"not_due"}):
        code, events, err = ended(of_unit("translate-retrain.service", place), settings(place), cwd=place)
        assert code == 0, err
        assert {event["state"] for event in events} <= states
    if registry.pointers("waves").champion is None:  # so little training need not pass the gate
        registry.promote("waves@1")
    watch = start(of_unit("translate-watch.service", place), settings(place), cwd=place)
    try:
        assert until(watch, "summary", "nothing_to_do")
        watch.send_signal(signal.SIGTERM)
        _, err = watch.communicate(timeout=240)
        assert str(watch.returncode) in unit("translate-watch.service")["Service"]["SuccessExitStatus"], err
    finally:
        watch.kill()


def of_ray(name, place):
    """What Ray would run on the head, given to a shell as Ray does."""
    return ["bash", "-c", entrypoint(name).replace(PIPELINE, str(place / "pipeline.yaml"))
            .replace("--publish=monet2photo", "--publish=waves")]


@pytest.mark.ray
def test_what_the_rayjobs_run(place):
    """Train, retrain and translate, on a Ray that each of them finds or starts."""
    code, events, err = ended(of_ray("train-rayjob.yaml", place), settings(place), cwd=place)
    assert code == 0, err
    assert (events[-1]["event"], events[-1]["published"][0]) == ("trained", "waves@1")
    code, events, err = ended(of_ray("retrain-rayjob.yaml", place), settings(place), cwd=place)
    assert code == 0, err
    assert events[-1]["event"] == "retraining"
    code, events, err = ended(of_ray("batch-rayjob.yaml", place), settings(place), cwd=place)
    assert code == 0, err
    assert (events[-1]["event"], events[-1]["ok"]) == ("summary", 40)
