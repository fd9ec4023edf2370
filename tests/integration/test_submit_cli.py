"""What `translate submit` refuses before anything is sent; nobody has to listen for that."""

from __future__ import annotations

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from translate.cli.submit import _files
from translate.errors import EXIT_USAGE

RUN = ("run", "--pipeline", "monet2photo", "--output", "s3://bucket/out/")


@pytest.fixture
def submit(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROXY", "http://me:word@proxy:3128")
    return partial(command, "submit")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--", "train", "--data", "s3://x/"), "submit sends `translate run`; got 'train'"),
        (("--", *RUN, "--sizes", "3"), "No such option: --sizes"),
        (("--", *RUN[:3]), "--output would be a folder of one job"),
        (("--", *RUN, "--input", "photos"), "--input photos would be a folder of one job"),
        (("--", *RUN, "--registry", "./models"), "the whole path of a folder that all machines of the cluster have"),
        (("--", *RUN, "--endpoint-url", "http://me:word@host:1"), "'http://host:1' holds a user, password"),
        (("--env", "AWS_SECRET_ACCESS_KEY", "--", *RUN), "would be shown by Ray"),
        (("--env", "PROXY", "--", *RUN), "--env PROXY would be shown by Ray"),
        (("--env", "NOT_SET_ANYWHERE", "--", *RUN), "there is no such variable"),
        (("--env", "PATH", "--"), "Missing argument"),
    ],
)
def test_mistakes_exit_2_before_anything_is_sent(submit, flags, words):
    code, _, err = submit("--address", "http://127.0.0.1:1", *flags)
    assert code == EXIT_USAGE
    assert words in " ".join(err.replace("│", " ").split())
    assert "word" not in err.replace("password", "")


@pytest.mark.ray
@pytest.mark.parametrize("address", ["127.0.0.1:6379", "ray://127.0.0.1:10001", "http://127.0.0.1:1"])
def test_where_no_cluster_is_it_says_so(submit, address):
    code, _, err = submit("--address", address, "--", *RUN)
    assert code == EXIT_USAGE
    assert "http://HEAD:8265" in err or "no Ray cluster takes jobs at http://127.0.0.1:1: nobody answers" in err
    assert "Traceback" not in err


@pytest.mark.ray
def test_another_server_is_no_cluster(submit, monkeypatch):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")  # which Ray's own client would go to instead
    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, _, err = submit("--address", f"http://127.0.0.1:{server.server_port}", "--", *RUN)
        server.shutdown()
    assert code == EXIT_USAGE
    assert f"no Ray cluster takes jobs at http://127.0.0.1:{server.server_port}: " in err


def test_files_below_the_working_folder_go_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "lists/keys.txt", "net.pth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path.parent / "above.yaml").write_text("")
    command = ["run", "--pipeline", "./mine.yaml", "--keys=lists/keys.txt", "--model", str(tmp_path / "net.pth"),
               "--input", "lists", "--include", "../above.yaml", "--include", ".", "--exclude", "",
               "--include", "x" * 300]
    assert _files(command) == ["lists/keys.txt", "mine.yaml"]
