"""How the command ends: version, help, messages and exit codes, each in a process of its own."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import translate

TRANSLATE = Path(sys.executable).with_name("translate")


def call(*args, **env):
    return subprocess.run([TRANSLATE, *args], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **env})


def program(body, *args):
    """The command with one of its parts replaced by ``body``, which defines `broken()`."""
    code = (f"{body}\nimport translate.config\ntranslate.config.pipeline_names = broken\n"
            "from translate.cli.app import main\nmain()")
    return [sys.executable, "-c", code, "pipelines", "list", *args]


def run_program(body, *args, **env):
    return subprocess.run(program(body, *args), capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **env})


def test_version():
    done = call("--version")
    assert (done.returncode, done.stdout) == (0, f"translate {translate.__version__}\n")


def test_help_is_quick_and_lists_every_verb():
    call("--help")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = call("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime  # whoever else is at work
    assert took_s < 0.5, f"translate --help took {took_s:.2f} s of processor time; import inside functions"
    folder = Path(translate.__file__).parent / "cli"
    verbs = {path.stem for path in folder.glob("[a-z]*.py")} - {"app", "console"}
    assert "pipelines" in verbs
    for verb in verbs:
        assert re.search(rf"│ {verb} ", done.stdout), f"{verb} is not in the help"


def test_help_of_every_verb_works():
    folder = Path(translate.__file__).parent / "cli"
    for verb in {path.stem for path in folder.glob("[a-z]*.py")} - {"app", "console"}:
        done = call(verb, "--help")
        assert done.returncode == 0, done.stderr
        assert "Usage: translate " + verb in done.stdout
        # What stands in square brackets may be taken for markup, and not be shown.
        assert not re.search(r"\w \.\s", done.stdout), done.stdout


def test_help_reads_well_on_a_narrow_terminal():
    lines = [line.strip("│ ") for line in call("run", "--help", COLUMNS="80").stdout.splitlines()]
    assert "that was killed or stopped, the same command resumes that run." in lines, "broken by the terminal alone"
    explained = next(line for line in lines if line.startswith("--sample"))
    assert explained.partition(" N ")[2].strip() == "Only so many images, evenly spread:"


def test_wrong_option_is_usage():
    assert call("--nonsense").returncode == 2


def test_our_error_is_one_message_and_its_exit_code():
    done = call("pipelines", "show", "monet2foto")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: unknown pipeline 'monet2foto'; known: ")
    assert "Traceback" not in done.stderr


def test_our_error_as_json():
    done = call("pipelines", "show", "monet2foto", "--json")
    error = json.loads(done.stderr)["error"]
    assert (error["kind"], error["exit_code"], done.returncode) == ("UnknownNameError", 2, 2)


def test_a_mistake_in_the_arguments_as_json():
    for arguments, words in (
        (("pipelines", "list", "--nonsense"), "No such option: --nonsense"),
        (("run", "--limit", "many"), "Invalid value for '--limit'"),
        (("pipelines", "show"), "Missing argument"),
        (("translatte",), "No such command 'translatte'"),
    ):
        done = call(*arguments, "--json")
        line = json.loads(done.stderr)
        assert (done.returncode, done.stdout, line["event"]) == (2, "", "error")
        assert words in line["error"]["message"]
    assert call("pipelines", "list", "--json").returncode == 0
    assert call("run", "--help", "--json").stdout.lstrip().startswith("Usage: translate run"), "help stays help"


def test_traceback_on_demand():
    assert "Traceback" in call("pipelines", "show", "monet2foto", TRANSLATE_TRACEBACK="1").stderr


def test_unexpected_error_says_where_the_traceback_is(tmp_path):
    done = run_program("def broken(): return 1 / 0", TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert "unexpected ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" not in done.stderr
    [file] = tmp_path.glob("translate-traceback-*.txt")
    assert str(file) in done.stderr
    assert "in broken" in file.read_text()


def test_unexpected_error_shown_on_demand(tmp_path):
    done = run_program("def broken(): return 1 / 0", TMPDIR=str(tmp_path), TRANSLATE_TRACEBACK="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert not list(tmp_path.iterdir())


def test_signals_have_their_exit_codes():
    body = "import time\ndef broken():\n    print('ready', flush=True)\n    time.sleep(60)"
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        pipe = subprocess.PIPE
        with subprocess.Popen(program(body), stdout=pipe, stderr=pipe, text=True) as child:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(number)
            _, err = child.communicate(timeout=30)
        assert child.returncode == code
        assert "Traceback" not in err


def test_ctrl_c_while_the_verbs_are_loaded():
    code = (
        "import translate.cli.app as app\ndef interrupted(*_):\n    raise KeyboardInterrupt\n"
        "app.build_app = interrupted\napp.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_has_seen_enough_ends_it_quietly():
    for args in (["pipelines", "list"], ["pipelines", "list", "--json"], ["--help"]):
        read, write = os.pipe()
        os.close(read)
        try:
            done = subprocess.run([TRANSLATE, *args], stdout=write, stderr=subprocess.PIPE, text=True, timeout=120,
                                  check=False)
        finally:
            os.close(write)
        assert (done.returncode, done.stderr) == (141, "")
