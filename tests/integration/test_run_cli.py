"""`translate run` as people meet it: exit codes, messages, bad inputs, signals."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from jobs import contents, fill, picture
from PIL import Image

from translate.errors import EXIT_INTERNAL, EXIT_ITEMS_FAILED, EXIT_OK, EXIT_USAGE
from translate.images.codec import decode
from translate.images.mark import read_mark
from translate.stores import open_store

HEIF = Path(__file__).parents[1] / "heif"


@pytest.fixture
def translate_run(command, registry):
    """`translate run` with the tiny model; gives (exit code, stdout, stderr)."""
    return partial(command, "run", "--model", "tiny", "--registry", registry)


def test_second_run_does_nothing(translate_run, tmp_path):
    fill(open_store(str(tmp_path / "in")), 9)
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    code, out, _ = translate_run(*flags)
    assert code == EXIT_OK
    assert "ok" in out
    assert "1 not images" in out
    report = next(line for line in out.splitlines() if line.startswith("report:")).split()[1]
    assert Path(report).read_bytes().startswith(b"<!doctype html>")
    code, out, _ = translate_run(*flags)
    assert (code, out.splitlines()[0]) == (EXIT_OK, "nothing to do: 9 up to date, 1 not images")
    assert len(list((tmp_path / "out" / "_translate" / "runs").iterdir())) == 1


def test_a_phones_pictures_are_read_and_without_the_extra_counted_loudly(translate_run, tmp_path, monkeypatch):
    source, output = tmp_path / "in", tmp_path / "out"
    fill(open_store(str(source)), 2)
    for name in ("photo.heic", "turned.HEIC"):
        shutil.copy(HEIF / name.lower(), source / name)
    (source / "an_avif.avif").write_bytes((HEIF / "ten_bits.avif").read_bytes())
    flags = ("--input", source, "--output", output, "--fail-share", 1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pillow_heif", None)
        code, out, _ = translate_run(*flags)
    assert code == EXIT_OK
    assert "NOT READ: 2 HEIC images" in out
    assert "pip install 'translate-images[heic]'" in out
    retry = next(line for line in out.splitlines() if "translate retry" in line).split()[-1]
    assert (output / "an_avif.avif").read_bytes()[4:12] == b"ftypavif"
    assert read_mark((output / "an_avif.avif").read_bytes()).model == "tiny@1"
    assert not list(output.glob("*.jpg"))
    code, out, _ = translate_run(*flags, "--overwrite", "never")
    assert "NOT READ" not in out
    for name in ("photo.jpg", "turned.jpg"):  # what `keep` makes of HEIC
        assert decode((output / name).read_bytes()).format == "jpeg"
    assert "_translate/runs/" in retry


def test_other_work_exits_2_and_names_the_difference(translate_run, tmp_path):
    fill(open_store(str(tmp_path / "in")), 2)
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    assert translate_run(*flags)[0] == EXIT_OK
    code, _, err = translate_run(*flags, "--format", "webp", "--quality", 40)
    assert code == EXIT_USAGE
    assert "format: keep -> webp; quality: 92 -> 40" in err
    assert "--overwrite stale" in err
    assert translate_run(*flags, "--format", "webp", "--quality", 40, "--overwrite", "stale")[0] == EXIT_OK


def test_dry_run_writes_nothing_and_says_how_long(translate_run, tmp_path):
    fill(open_store(str(tmp_path / "in")), 5)
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out", "--dry-run")
    code, out, _ = translate_run(*flags)
    assert code == EXIT_OK
    assert "to translate       5" in out
    assert "expected time: about" in out
    assert not (tmp_path / "out").exists()
    plan = json.loads(translate_run(*flags, "--json")[1])
    assert (plan["event"], plan["considered"]["to_do"]) == ("plan", 5)
    assert plan["considered"]["bytes"] == sum(f.stat().st_size for f in (tmp_path / "in").rglob("*.png"))


def test_json_ends_with_the_summary(translate_run, tmp_path):
    fill(open_store(str(tmp_path / "in")), 5)
    code, out, err = translate_run("--input", tmp_path / "in", "--output", tmp_path / "out", "--json")
    assert code == EXIT_OK
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["ok"], last["planned"]) == ("summary", 5, 5)
    assert [json.loads(line) for line in err.splitlines()][-1]["progress"]["done"] == 5


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--input", "{in}", "--output", "{in}/out"), "inside the input"),
        (("--input", "{in}/nowhere"), "no folder"),
        (("--input", "{in}", "--limit", "0"), "--limit must be 1 or more; got 0"),
        (("--input", "{in}", "--sample", "-1"), "--sample must be 1 or more; got -1"),
        (("--input", "{in}", "--watch", "--every", "0.5"), "--every must be 1 or more; got 0.5"),
        (("--input", "{in}", "--quality", "101"), "--quality must be from 1 to 100; got 101"),
        (("--input", "{in}", "--fail-share", "nan"), "--fail-share must be from 0 to 1; got nan"),
        (("--input", "{in}", "--workers", "0"), "--workers must be a number of at least 1"),
        (("--input", "{in}", "--size", "12x"), "--size must be native or the short side"),
        (("--input", "{in}", "--size", "0"), "--size must be"),
        (("--input", "{in}", "--size", "7"), "in pixels, 8 or more"),
        (("--input", "{in}", "--output", "{in}"), "is the input"),
        (("--input", "{in}", "--output", "{in}/set0/0000.png/deeper"), "0000.png is a file; give a folder"),
        (("--input", ""), "location is empty"),
        (("--input", "{in}", "--output", ""), "location is empty"),
        (("--input", "{in}", "--keys", ""), "cannot read the keys"),
        (("--input", "{in}", "--model", ""), "--model is empty"),
        (("--input", "s3://bucket/", "--input-endpoint-url", ""), "no endpoint URL"),
        (("--input", "{in}", "--executor", "local", "--workers", "3"), "several need Ray: --executor ray"),
        (("--input", "{in}", "--keys", "{in}/missing.txt"), "cannot read the keys"),
        (("--input", "{in}", "--pipeline", "monet2foto"), "unknown pipeline 'monet2foto'"),
        (("--input", "ftp://x/y"), "unknown store scheme"),
        ((), "no samples are shipped"),
    ],
)
def test_mistakes_exit_2_with_a_sentence(translate_run, tmp_path, flags, words):
    fill(open_store(str(tmp_path / "in")), 3)
    filled = [flag.format(**{"in": tmp_path / "in"}) for flag in flags]
    if "--output" not in filled:
        filled += ["--output", str(tmp_path / "out")]
    code, _, err = translate_run(*filled)
    assert code == EXIT_USAGE
    assert words in err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("_translate"))


def test_keys_and_globs_choose(translate_run, tmp_path):
    keys = fill(open_store(str(tmp_path / "in")), 9)
    (tmp_path / "keys.txt").write_text(f"{keys[0]}\r\n{keys[4]}\n", encoding="utf-8-sig")  # as Windows has it
    assert (
        translate_run("--input", tmp_path / "in", "--output", tmp_path / "a", "--keys", tmp_path / "keys.txt")[0] == 0
    )
    assert sorted(contents(open_store(str(tmp_path / "a")))) == [keys[0], keys[4]]
    flags = ("--include", "set1/*", "--include", "set2/*", "--exclude", "*0001.png")
    assert translate_run("--input", tmp_path / "in", "--output", tmp_path / "b", *flags)[0] == 0
    chosen = [key for key in keys if not key.startswith("set0/") and not key.endswith("0001.png")]
    assert sorted(contents(open_store(str(tmp_path / "b")))) == chosen


def test_nothing_to_do_says_why(translate_run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "keys.txt").write_text("\n\r\n")
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    code, out, _ = translate_run(*flags, "--keys", tmp_path / "keys.txt")
    assert (code, out) == (EXIT_OK, "nothing to do: the --keys file names no keys\n")
    fill(open_store(str(tmp_path / "in")), 2)
    assert translate_run(*flags)[0] == EXIT_OK
    shutil.rmtree(tmp_path / "in")
    (tmp_path / "in").mkdir()
    code, out, _ = translate_run(*flags)
    assert (code, out) == (EXIT_OK, f"nothing to do: there are no objects in {tmp_path / 'in'}\n"), "emptied since"


def test_extensions_that_cannot_be_printed_are_escaped(translate_run, tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    flags = ("--input", source, "--output", tmp_path / "out")
    for name in (b"a.\x1b[2j", b"a.\xff"):
        Path(os.fsdecode(os.fsencode(source) + b"/" + name)).touch()
    code, out, err = translate_run(*flags)
    assert (code, out) == (EXIT_USAGE, "")
    assert r"1 .\x1b[2j, 1 .\udcff (" in err
    (source / "f.png").write_bytes(picture(1))
    code, out, _ = translate_run(*flags, "--dry-run")
    assert code == EXIT_OK
    assert r"not images, by their names: 1 .\x1b[2j, 1 .\udcff" in out


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_an_input_without_any_image_is_a_mistake(translate_run, tmp_path, more):
    source = tmp_path / "in"
    source.mkdir()
    flags = ("--input", source, "--output", tmp_path / "out", *more)
    code, out, err = translate_run(*flags)
    assert (code, out) == (EXIT_USAGE, "")
    assert f"nothing lies under {source}; expected images." in err
    assert "--watch" in err
    for name in ("a.txt", "b.TXT", "c.psd", "README", "d.txt", "e.txt"):
        (source / name).write_text("?")
    code, out, err = translate_run(*flags)
    assert (code, out) == (EXIT_USAGE, "")
    assert "4 .txt, 1 without extension, 1 .psd (README, a.txt, b.TXT, c.psd, d.txt, ...). Expected " in err
    assert not (tmp_path / "out").exists()
    (source / "f.png").write_bytes(picture(1))
    code, out, _ = translate_run(*flags, "--dry-run")
    assert code == EXIT_OK
    assert "not images, by their names: 4 .txt, 1 without extension, 1 .psd" in out


def test_mistakes_are_told_before_torch_is_loaded():
    code = (
        "import sys\nfrom translate.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n"
        "    assert 'torch' not in sys.modules\n    raise"
    )
    command = [sys.executable, "-c", code, "run", "--pipeline", "monet2photo", "--input", "nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.partition(";")[0]) == (EXIT_USAGE, "error: there is no folder 'nowhere'")


def encoded(image: Image.Image, format: str, **options) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG header that claims 32768 x 32768 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32768, 32768, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def bad_and_good() -> tuple[dict[str, tuple[bytes, str]], dict[str, bytes]]:
    """Every kind of input of the fault table: what must fail with its code, and what must be translated."""
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
    rgb = Image.fromarray(pixels)
    jpeg, png = encoded(rgb, "JPEG"), encoded(rgb, "PNG")
    bad = {
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "input.truncated"),
        "truncated.png": (png[: len(png) // 2], "input.truncated"),
        "empty.png": (b"", "input.empty"),
        "page.jpg": (b"<!doctype html><html><body>404</body></html>", "input.not_an_image"),
        "drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "input.not_an_image"),
        "text.webp": (b"hello", "input.not_an_image"),
        "bomb.png": (bomb(), "input.too_large"),
        "float.tiff": (
            encoded(Image.fromarray(rng.random((9, 9), dtype=np.float32)), "TIFF"),
            "input.unsupported_mode",
        ),
    }
    rotated = Image.Exif()
    rotated[0x0112] = 6
    alpha = np.dstack([pixels, rng.integers(0, 255, (20, 30), dtype=np.uint8)])
    deep = rng.integers(0, 65535, (20, 30), dtype=np.uint16)
    good = {
        "really-a-png.jpg": png,
        "one-pixel.png": encoded(rgb.crop((0, 0, 1, 1)), "PNG"),
        "ribbon.png": encoded(rgb.resize((1, 4000)), "PNG"),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), "JPEG"),
        "deep.png": encoded(Image.fromarray(deep), "PNG"),
        "palette.png": encoded(rgb.quantize(16), "PNG"),
        "grey-alpha.png": encoded(Image.fromarray(alpha, "RGBA").convert("LA"), "PNG"),
        "rgba.webp": encoded(Image.fromarray(alpha), "WEBP", lossless=True),
        "turned.jpg": encoded(rgb, "JPEG", exif=rotated),
        "moving.gif": encoded(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90), rgb.rotate(180)]),
        "pages.tiff": encoded(rgb, "TIFF", save_all=True, append_images=[rgb.rotate(90)]),
    }
    return bad, good


def test_the_pixel_limit_and_what_becomes_of_animations_are_options(translate_run, tmp_path):
    _, good = bad_and_good()
    source = open_store(str(tmp_path / "in"))
    for key in ("moving.gif", "palette.png"):
        source.put(key, good[key])
    flags = ("--input", tmp_path / "in", "--fail-share", "1", "--json")
    for number, (options, codes) in enumerate([
        ((), {}),
        (("--frames", "refuse"), {"input.animated": 1}),
        (("--max-megapixels", "0.0005"), {"input.too_large": 2}),
    ]):
        code, out, err = translate_run(*flags, "--output", tmp_path / str(number), *options)
        assert code == 0, err
        assert json.loads(out.splitlines()[-1])["codes"] == codes


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_every_kind_of_bad_input_is_an_outcome(translate_run, tmp_path):
    bad, good = bad_and_good()
    source, output = open_store(str(tmp_path / "in")), open_store(str(tmp_path / "out"))
    for key, (data, _) in bad.items():
        source.put(key, data)
    for key, data in good.items():
        source.put(key, data)
    flags = ("--input", tmp_path / "in", "--output", tmp_path / "out")
    code, out, err = translate_run(*flags, "--json")
    assert code == EXIT_ITEMS_FAILED
    summary = json.loads(out.splitlines()[-1])
    assert (summary["ok"], summary["failed"], summary["skipped"]) == (len(good), len(bad), 0)
    failed = json.loads(err.splitlines()[-1])["error"]
    assert failed["exit_code"] == EXIT_ITEMS_FAILED
    assert f"{len(bad)} of {len(bad) + len(good)} images failed, more than the share of 0.05" in failed["message"]

    from translate.records.history import read_ledger

    entries = [entry for _, unit in read_ledger(output, summary["run"]) for entry in unit]
    codes = {entry.key: entry.code for entry in entries if entry.outcome == "failed"}
    assert codes == {key: code for key, (_, code) in bad.items()}
    written = contents(output)
    assert len(written) == len(good)
    for key, data in good.items():
        name = key.replace(".gif", ".png")
        assert decode(written[name]).pixels.shape == decode(data).pixels.shape, key
    assert decode(written["rgba.webp"]).alpha is not None
    assert decode(written["grey-alpha.png"]).alpha is not None

    code, out, _ = translate_run(*flags)
    assert code == EXIT_OK
    assert f"{len(bad)} failed before" in out
    assert translate_run(*flags, "--overwrite", "always", "--fail-share", "0.5")[0] == EXIT_OK
    assert translate_run(*flags, "--overwrite", "always", "--fail-share", "0.4")[0] == EXIT_ITEMS_FAILED


def test_the_first_that_failed_are_named(translate_run, command, registry, tmp_path):
    source = open_store(str(tmp_path / "in"))
    keys = fill(source, 9)
    for key in keys[:7]:
        source.put(key, b"broken")
    code, out, _ = translate_run("--input", source.url, "--output", tmp_path / "a b", "--fail-share", "1")
    named = [line for line in out.splitlines() if line.startswith("failed: ") and "input.not_an_image: " in line]
    assert (code, [line.split(": ")[1] for line in named]) == (EXIT_OK, keys[:5])
    assert "failed: 2 more; the report names them" in out
    again = next(line for line in out.splitlines() if "translate retry " in line).partition("translate retry ")[2]
    source.put(keys[0], picture(1))
    code, out, _ = command("retry", *shlex.split(again), "--registry", registry, "--fail-share", "1")
    assert (code, "1 of 7 images translated" in out) == (EXIT_OK, True)


def test_compat_squashes(translate_run, tmp_path):
    source = open_store(str(tmp_path / "in"))
    source.put("wide.png", picture(3, 40, 90))
    assert translate_run("--input", tmp_path / "in", "--output", tmp_path / "out", "--pixels", "compat")[0] == 0
    assert decode((tmp_path / "out" / "wide.png").read_bytes()).pixels.shape == (256, 256, 3)


def test_a_signal_stops_gently_and_the_same_command_goes_on(translate_run, registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), 120, height=200, width=300)
    flags = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--executor", "local"]
    program = [sys.executable, "-c", "from translate.cli.app import main; main()"]
    command = [*program, "run", "--model", "tiny", "--registry", registry, *flags]
    before, stopped = 0, ""
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=_environment()) as process:
            try:
                _wait_for(tmp_path / "out", before + 5, process)
                process.send_signal(number)
                out, err = process.communicate(timeout=120)
            finally:
                process.kill()
        assert process.returncode == code, err
        assert "the same command resumes" in out
        assert stopped in err
        done = len(contents(open_store(str(tmp_path / "out"))))
        assert f"stopped: {done} of 120 images" in out
        assert before < done < 120
        before = done
        (name,) = (path.name for path in (tmp_path / "out" / "_translate" / "runs").iterdir())
        stopped = f"resuming run {name}: {done} of 120 images are done\n"
    code, out, _ = translate_run(*flags)
    assert code == EXIT_OK
    assert f"120 of 120 images translated, {120 - before} of them in" in out
    assert f"resumed run {name}, where {before} were done before; what has arrived or changed since then" in out
    assert len(contents(open_store(str(tmp_path / "out")))) == 120


@pytest.mark.ray
@pytest.mark.slow
def test_workers_killed_for_lack_of_memory_end_the_run_with_a_sentence(registry, tmp_path):
    fill(open_store(str(tmp_path / "in")), 2)
    program = [sys.executable, "-c", "from translate.cli.app import main; main()"]
    flags = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--executor", "ray"]
    full = {**_environment(), "RAY_memory_usage_threshold": "0.01"}  # Ray's monitor finds the machine full
    command = [*program, "run", "--model", "tiny", "--registry", registry, *flags]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=full, timeout=200)
    assert ended.returncode == EXIT_INTERNAL, ended.stderr
    assert "3 workers in a row died before they had a model: 1 worker(s) were killed" in ended.stderr
    assert "fault of the program" not in ended.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def _wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Until so many outputs are there, or the process ends."""
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until:
        if len(list(folder.glob("set*/*.png"))) >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"no outputs appeared: {process.communicate(timeout=5)}")
