"""What a run and a training really ask of S3, against the IAM policies of ``deploy/aws``."""

from threading import Lock

import pytest
import yaml
from iam_policy import read_policy, uses
from jobs import fill, publish_tiny
from training_set import TINY, WAVES
from training_set import fill as fill_training

from translate.stores import _s3_client, open_store

pytestmark = pytest.mark.s3


@pytest.fixture
def place(s3_server, monkeypatch):
    """A bucket for all, and the list of requests that the stores of this process make, as (operation, request)."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    asked, lock, ask = [], Lock(), _s3_client._ask

    def record(client, operation, request):
        with lock:
            asked.append((operation, dict(request)))
        return ask(client, operation, request)

    bucket = s3_server.make_bucket()
    monkeypatch.setattr(_s3_client, "_ask", record)
    return bucket, asked


def check(name, bucket, asked):
    """Every request is allowed, and every statement of the policy was needed for one."""
    places = {f"{what}_BUCKET": bucket for what in ("INPUT", "OUTPUT", "MODEL", "STATE")}
    places |= {f"{what}_PREFIX": what.lower() for what in ("INPUT", "OUTPUT", "MODEL", "STATE")}
    statements = read_policy(name, **places)
    needed = [(operation, request, uses(statements, operation, request)) for operation, request in asked]
    assert [(operation, request.get("Key", request.get("Prefix"))) for operation, request, sids in needed
            if sids is None] == []
    assert {sid for _, _, sids in needed for sid in sids} == {statement["Sid"] for statement in statements}


def test_a_run_needs_just_what_its_policy_allows(place, command):
    bucket, asked = place
    fill(open_store(f"s3://{bucket}/input/"), 3)
    publish_tiny(f"s3://{bucket}/model/")
    asked.clear()
    flags = ("--model", "tiny", "--registry", f"s3://{bucket}/model/", "--executor", "local", "--json",
             "--input", f"s3://{bucket}/input/", "--output", f"s3://{bucket}/output/")
    for _ in range(2):  # the second reads what the first wrote
        code, _, err = command("run", *flags)
        assert code == 0, err
    assert command("status", f"s3://{bucket}/output/", "--json")[0] == 0
    assert command("verify", f"s3://{bucket}/output/", "--json")[0] == 0
    check("iam-run.json", bucket, asked)


def test_a_training_needs_just_what_its_policy_allows(place, command, tmp_path):
    bucket, asked = place
    fill_training(open_store(f"s3://{bucket}/input/"), 3)
    pipeline = WAVES | {"training": TINY | {"checkpoint_every_images": 2}}
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(pipeline))
    asked.clear()
    code, _, err = command(
        "train", "--pipeline", tmp_path / "waves.yaml", "--data", f"s3://{bucket}/input/", "--device", "cpu", "--json",
        "--output", f"s3://{bucket}/state/", "--publish", "waves", "--registry", f"s3://{bucket}/model/")
    assert code == 0, err
    check("iam-retrain.json", bucket, asked)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_retraining_needs_no_more_than_its_policy_allows(place, command, tmp_path):
    bucket, asked = place
    fill_training(open_store(f"s3://{bucket}/input/"), 40)
    retraining = {"new_images": 1, "holdout": {"share": 0.3}, "gate": {"subsets": 8}}
    (tmp_path / "waves.yaml").write_text(yaml.safe_dump(WAVES | {"retraining": retraining}))
    asked.clear()
    for _ in range(2):  # the second finds nothing due
        code, _, err = command(
            "schedule", "--once", "--pipeline", tmp_path / "waves.yaml", "--data", f"s3://{bucket}/input/", "--json",
            "--output", f"s3://{bucket}/state/", "--registry", f"s3://{bucket}/model/", "--device", "cpu")
        assert code == 0, err
    check("iam-retrain.json", bucket, asked)
