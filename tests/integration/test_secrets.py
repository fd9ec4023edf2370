"""No command shows or writes a secret: credentials of the environment, user and password in an endpoint's URL."""

from __future__ import annotations

import pytest
from jobs import fill, picture, publish_tiny
from s3_server import ENVIRONMENT

from translate.errors import EXIT_ITEMS_FAILED, EXIT_OK, EXIT_STORAGE, EXIT_USAGE
from translate.stores import open_store

PASSWORD, TOKEN = "pass-word-of-nobody", "session-token-of-nobody"
SECRETS = (ENVIRONMENT["AWS_SECRET_ACCESS_KEY"], PASSWORD, TOKEN)


@pytest.fixture
def no_secret(command, monkeypatch, tmp_path):
    """Call a command as text, as JSON, with tracebacks; fails if a secret is in any of it, gives the exit codes."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)

    def call(*arguments):
        codes = []
        for more, traceback in (((), ""), (("--json",), ""), ((), "1")):
            monkeypatch.setenv("TRANSLATE_TRACEBACK", traceback)
            code, out, err = command(*arguments, *more)
            written = [path.read_text() for path in temporary.glob("*.txt")]
            for words in (out, err, *written):
                for secret in SECRETS:
                    assert secret not in words, f"{arguments} {more} shows it:\n{words}"
            codes.append(code)
        return codes

    return call


def whole_bucket(server, bucket):
    """Every object of a bucket, with its metadata, as bytes."""
    client = server.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page.get("Contents", []):
            found = client.get_object(Bucket=bucket, Key=each["Key"])
            yield each["Key"], found["Body"].read() + repr(found["Metadata"]).encode()


@pytest.mark.s3
def test_secrets_of_a_job_that_works(no_secret, s3_server, monkeypatch, tmp_path):
    registry, bucket = publish_tiny(tmp_path / "registry"), s3_server.make_bucket()
    source = open_store(f"s3://{bucket}/in/", endpoint_url=s3_server.endpoint_url)
    fill(source, 3)
    source.put("broken.png", b"broken")
    place = s3_server.endpoint_url.removeprefix("http://")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://somebody:{PASSWORD}@{place}")
    flags = ("--model", "tiny", "--registry", registry, "--executor", "local", "--fail-share", "1")
    places = ("--input", f"s3://{bucket}/in/", "--output", f"s3://{bucket}/out/")
    assert no_secret("run", *flags, *places, "--dry-run") == [EXIT_OK] * 3
    assert no_secret("run", *flags, *places) == [EXIT_OK] * 3
    source.put("new.png", picture(9))
    for verb in ("status", "report", "verify"):
        assert no_secret(verb, f"s3://{bucket}/out/") == [EXIT_OK] * 3
    assert no_secret("retry", f"s3://{bucket}/out/", "--registry", registry) == [EXIT_ITEMS_FAILED] * 3
    no_secret("doctor", "--store", f"s3://{bucket}/out/")
    records = list(whole_bucket(s3_server, bucket))
    assert any(key.endswith("summary.json") for key, _ in records)
    for key, data in records:
        for secret in SECRETS:
            assert secret.encode() not in data, key


@pytest.mark.s3
def test_secrets_of_a_job_that_does_not(no_secret, s3_server, monkeypatch):
    bucket, place = s3_server.make_bucket(), s3_server.endpoint_url.removeprefix("http://")
    url = f"s3://{bucket}/out/"
    output = ("--model", "tiny", "--input", f"s3://{bucket}/in/", "--output", url)
    for endpoint in (f"http://somebody:{PASSWORD}@127.0.0.1:9", f"http://some body:{PASSWORD}@{place}",
                     f"somebody:{PASSWORD}@{place}"):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        for codes in (no_secret("status", url), no_secret("doctor", "--store", url), no_secret("run", *output)):
            assert len(set(codes)) == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    no_secret("status", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknown")
    assert no_secret("status", url) == [EXIT_STORAGE] * 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "s3://bucket/", "--endpoint-url", f"http://somebody:{PASSWORD}@127.0.0.1:9"),
        ("status", f"s3://somebody:{PASSWORD}@bucket/"),
        ("status", f"https://somebody:{PASSWORD}@host/out/"),
        ("status", f"file://somebody:{PASSWORD}@host/out/"),
        ("run", "--model", "tiny", "--registry", f"https://somebody:{PASSWORD}@host/"),
        ("run", "--model", f"https://somebody:{PASSWORD}@host/x.pth", "--input", "."),
        ("run", "--pipeline", f"https://somebody:{PASSWORD}@host/x.yaml"),
    ],
)
def test_secrets_where_they_do_not_belong(no_secret, arguments):
    assert no_secret(*arguments) == [EXIT_USAGE] * 3
