"""Processes are found as they are: whose child, and whose connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

from tests.chaos.program import Program, kill, owner_of_port, processes

CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


def test_a_process_and_its_parent_are_seen():
    mine = {process.pid: process for process in processes()}[os.getpid()]
    assert mine.parent == os.getppid()
    assert "pytest" in mine.command


def test_the_owner_of_a_connection_is_found():
    mine = [process for process in processes() if process.pid == os.getpid()]
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port = client.getsockname()[1]
        until = time.monotonic() + 10
        while (owner := owner_of_port(port, mine)) is None:  # the kernel's table is read while others change it
            assert time.monotonic() < until
        assert owner == mine[0]
        assert owner_of_port(port, []) is None
    assert owner_of_port(port, mine) is None, "hung up"


def test_children_are_known_after_their_parent_is_gone(tmp_path, monkeypatch):
    begun = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda _, **options: begun([sys.executable, "-c", CHILD], **options))
    with Program([], tmp_path) as program:
        assert program.wait(0.1) is None
        while not program.children():
            assert program.alive
        assert program.signal(signal.SIGKILL)
        assert program.wait(30) == -signal.SIGKILL
        assert not program.signal(signal.SIGKILL), "nobody is there any more"
        (orphan,) = program.children()
        assert program.actors() == []
    while any(process.pid == orphan.pid for process in processes()):  # else the test's timeout says so
        time.sleep(0.01)
    kill(orphan)  # nobody there: no error
