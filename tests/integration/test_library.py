"""`from translate import load_translator`: the same pixels as `translate run`, from pictures of every kind."""

from __future__ import annotations

import asyncio
import copy
import io
import itertools
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import library_example
import numpy as np
import pytest
import torch
from image_files import png
from jobs import picture, publish_tiny
from PIL import Image

from translate import load_translator
from translate.errors import EXIT_OK, ConfigError, ItemError, ModelError, NotFoundError, UsageError
from translate.images.codec import decode
from translate.shipped import shipped_folder
from translate.stores import open_store

SAMPLES = shipped_folder("samples")
TURNED = 6
"""Of the EXIF orientations: by 90 degrees."""


def rgba(name):
    """A shipped sample, reduced, that fades out to the right."""
    image = Image.open(SAMPLES / name).convert("RGB").resize((60, 44))
    alpha = np.tile(np.linspace(0, 255, 60, dtype=np.uint8), (44, 1))
    return Image.fromarray(np.dstack([np.asarray(image), alpha]))


@pytest.fixture
def pictures(tmp_path):
    """A folder of shipped samples in formats of all kinds."""
    folder = tmp_path / "in"
    folder.mkdir()
    whole = SAMPLES / "paintings" / "villa-with-orange-trees-nice.jpg"
    (folder / "whole.jpg").write_bytes(whole.read_bytes())
    small = Image.open(whole).resize((70, 50))
    turned = Image.Exif()
    turned[0x0112] = TURNED
    small.save(folder / "turned.jpg", exif=turned, quality=90)
    small.convert("CMYK").save(folder / "cmyk.jpg")
    small.save(folder / "small.webp", quality=80)
    rgba("paintings/in-the-bois-de-boulogne.jpg").save(folder / "faded_a.png")
    rgba("photos/beach5.jpg").save(folder / "faded_b.tif")
    deep = np.asarray(small.convert("L")).astype(np.uint16) * 257
    (folder / "deep.png").write_bytes(png(deep, 16, 0))
    return folder


def as_array(data):
    """A decoded file as the library gives it back."""
    read = decode(data)
    return read.pixels if read.alpha is None else np.dstack([read.pixels, read.alpha])


def seen(array):
    """An array of which nothing but what is seen counts."""
    return array if array.shape[2] == 3 else np.where(array[..., 3:] > 0, array, 0)


@pytest.mark.parametrize(("size", "engine"), [(None, "auto"), (40, "auto"), (40, "torch-float32")])
def test_every_kind_of_file_has_the_pixels_of_the_job(command, pictures, tmp_path, size, engine):
    flags = ["--engine", engine, *([] if size is None else ["--size", size])]
    code, _, err = command("run", "--pipeline", "monet2photo", "--input", pictures, "--output", tmp_path / "out",
                           "--format", "png", *flags)
    assert code == EXIT_OK, err
    translator = load_translator("monet2photo", size=size, engine=engine)
    assert engine in ("auto", translator.engine)
    shapes = {}
    files = sorted(pictures.iterdir())
    for file, found in zip(files, translator(files), strict=True):
        written = as_array((tmp_path / "out" / f"{file.stem}.png").read_bytes())
        assert np.array_equal(seen(found), seen(written)), file.name
        shapes[file.name] = found.shape
    assert shapes["turned.jpg"] == (70, 50, 3)
    assert shapes["faded_a.png"] == shapes["faded_b.tif"] == (44, 60, 4)
    assert len(shapes) == 7


@pytest.fixture(scope="module")
def tiny(registry):
    return load_translator("tiny", registry=registry)


def test_arrays_paths_and_urls_are_the_same_picture(tiny, tmp_path, monkeypatch):
    data = picture(1)
    (tmp_path / "a b.png").write_bytes(data)
    store = open_store("memory://library/in/")
    store.put("deep/a.png", data)
    expected = tiny(decode(data).pixels)
    assert expected.shape == (24, 32, 3)
    assert expected.dtype == np.uint8
    monkeypatch.chdir(tmp_path)
    for place in ("a b.png", tmp_path / "a b.png", (tmp_path / "a b.png").as_uri(), "memory://library/in/deep/a.png"):
        assert np.array_equal(tiny(place), expected), place


@pytest.mark.s3
def test_an_object_in_a_bucket(tiny, s3_server, monkeypatch):
    bucket = s3_server.make_bucket()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url)
    open_store(f"s3://{bucket}/in/").put("a.png", picture(2))
    assert np.array_equal(tiny(f"s3://{bucket}/in/a.png"), tiny(decode(picture(2)).pixels))


def test_an_array_need_not_be_contiguous_and_keeps_its_alpha(tiny):
    rgb = decode(picture(3)).pixels
    alpha = (np.arange(24 * 32) % 255 + 1).astype(np.uint8).reshape(24, 32)
    found = tiny(np.dstack([rgb, alpha]))
    assert np.array_equal(found[..., 3], alpha)
    assert np.array_equal(found[..., :3], tiny(rgb))
    assert np.array_equal(tiny(rgb[:, ::2]), tiny(np.ascontiguousarray(rgb[:, ::2])))


def test_arrays_that_look_the_same_come_out_the_same(tiny):
    rgb, hidden = decode(picture(3)).pixels, np.zeros((24, 32), bool)
    hidden[:, 20:] = True
    arrays = [np.dstack([np.where(hidden[..., None], under, rgb), np.where(hidden, 0, 255)]).astype(np.uint8)
              for under in (0, 255)]
    copy = arrays[0].copy()
    assert np.array_equal(tiny(arrays[0]), tiny(arrays[1]))
    assert np.array_equal(arrays[0], copy), "the caller's array is not touched"


def test_a_pipelines_name_brings_its_settings_with_and_without_a_version(tmp_path, registry):
    file = SAMPLES / "sketches" / "1f346.png"
    newest = load_translator("sketch2object")
    pinned = load_translator(newest.model)
    assert newest.model.startswith("sketch2object@")
    assert np.array_equal(newest(file), pinned(file))
    yaml = tmp_path / "mine.yaml"
    yaml.write_text("name: mine\nsummary: s\ndomains: {a: x, b: y}\nmodel: tiny\nrun: {size: 16}\n")
    pixels = decode(picture(4, 64, 64)).pixels
    by_yaml, by_size, plain = (load_translator(name, registry=registry, size=size)
                               for name, size in ((str(yaml), None), ("tiny@1", 16), ("tiny", None)))
    assert np.array_equal(by_yaml(pixels), by_size(pixels))
    assert not np.array_equal(by_yaml(pixels), plain(pixels))
    assert repr(plain) == (
        f"<ImageTranslator tiny@1: noise -> other noise, working size native, engine {plain.engine}>"
    )
    assert (plain.size, by_size.size, by_yaml.size) == ("native", 16, 16)


def test_mistakes_say_what_was_expected(tiny, tmp_path, registry):
    with pytest.raises(ModelError, match=r"no model 'nosuch'.*known: .*monet2photo@"):
        load_translator("nosuch")
    with pytest.raises(ConfigError, match="size: must be native or the short side"):
        load_translator("tiny", registry=registry, size=3)
    with pytest.raises(UsageError, match="is calibrated on the images of a job"):
        load_translator("tiny", registry=registry, engine="openvino-int8")
    with pytest.raises(UsageError, match="has no model yet"):
        load_translator("horse2zebra")
    for array in (np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((3, 5, 5), np.uint8),
                  np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match=r"expected uint8 HWC: \(H, W, 3\) RGB"):
            tiny(array)
    with pytest.raises(UsageError, match="cannot translate a int; expected an array, a Pillow image"):
        tiny(5)
    with pytest.raises(UsageError, match="cannot translate a tensor of shape"):
        tiny(torch.zeros(0, 3, 4, 4))
    with pytest.raises(UsageError, match="no device 'tpu'"):
        load_translator("tiny", registry=registry, device="tpu")
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES=1"):
        load_translator("tiny", registry=registry, device=torch.device("cuda:1"))
    with pytest.raises(NotFoundError):
        tiny(tmp_path / "nothing.png")
    with pytest.raises(UsageError, match="bucket"):
        tiny("s3://bucket")
    (tmp_path / "note.png").write_text("not a picture")
    with pytest.raises(ItemError) as error:
        tiny(tmp_path / "note.png")
    assert error.value.code == "input.not_an_image"


def test_importing_the_package_imports_nothing_heavy():
    code = ("import sys, translate\n"
            "heavy = {'torch', 'numpy', 'PIL', 'pydantic', 'boto3', 'typer'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
            "from translate import load_translator\n"
            "assert load_translator is translate.load_translator and 'torch' in sys.modules\n"
            "assert all(getattr(translate, name).__doc__ for name in translate.__all__ if name != '__version__')\n"
            "assert set(translate.__all__) <= set(dir(translate))")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_kind_of_picture_comes_back_as_what_it_was(tiny):
    pixels = decode(picture(5)).pixels
    expected = tiny(pixels)
    assert np.array_equal(np.asarray(tiny(Image.fromarray(pixels))), expected)
    floats = torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1
    found = tiny(floats)
    assert found.dtype == torch.float32
    assert np.array_equal(((found + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy(), expected)
    batch = torch.stack([floats.half(), -floats.half()])
    assert tiny(batch).shape == (2, 3, 24, 32)
    assert tiny(batch).dtype == torch.float16
    assert np.array_equal(tiny(torch.from_numpy(pixels.transpose(2, 0, 1).copy())).permute(1, 2, 0).numpy(), expected)
    grey = np.ascontiguousarray(pixels[..., 0])
    assert np.array_equal(tiny(grey), tiny(np.dstack([grey] * 3)))
    assert np.array_equal(tiny(Image.fromarray(grey)), tiny(grey))
    assert tiny(Image.fromarray(pixels).convert("RGBA")).mode == "RGBA"


@pytest.mark.parametrize("settings", ["{}", "{format: jpeg, quality: 80}"])
def test_the_bytes_of_a_file_become_the_file_that_the_job_writes(command, pictures, registry, tmp_path, settings):
    yaml = tmp_path / "mine.yaml"
    yaml.write_text(f"name: mine\nsummary: s\ndomains: {{a: x, b: y}}\nmodel: tiny\nrun: {settings}\n")
    code, _, err = command("run", "--pipeline", yaml, "--registry", registry, "--input", pictures, "--output",
                           tmp_path / "out")
    assert code == EXIT_OK, err
    translator = load_translator(yaml, registry=Path(registry))
    files = sorted(pictures.iterdir())
    for file, found in zip(files, translator([file.read_bytes() for file in files]), strict=True):
        (written,) = (tmp_path / "out").glob(f"{file.stem}.*")
        assert found == written.read_bytes(), file.name
    kept = io.BytesIO(files[0].read_bytes())
    kept.seek(0, io.SEEK_END)
    assert translator(kept).read() == translator(files[0].read_bytes())


def test_a_list_and_map_keep_the_order_and_read_little_ahead(tiny):
    pictures = [decode(picture(seed, 16 + seed % 5, 20)).pixels for seed in range(40)]
    expected = [tiny(each) for each in pictures]
    assert all(map(np.array_equal, tiny(pictures), expected))
    read = itertools.count()
    seen = []
    results = tiny.map((each for each in pictures if next(read) >= 0), progress=seen.append)
    assert np.array_equal(next(results), expected[0])
    assert next(read) < 20
    assert all(map(np.array_equal, results, expected[1:]))
    assert [state.done for state in seen] == list(range(1, 41))
    assert {state.total for state in seen} == {None}
    assert list(tiny.map([])) == tiny([]) == []


def test_a_bad_picture_ends_map_in_its_turn(tiny):
    results = tiny.map([picture(1), b"no picture", picture(2)])
    assert next(results) == tiny(picture(1))
    with pytest.raises(ItemError):
        next(results)


def test_it_is_pickled_by_its_facts_and_a_copy_is_the_same_object(tmp_path):
    registry = publish_tiny(tmp_path / "registry")
    translator = load_translator("tiny", registry=registry, size=20)
    packed = pickle.dumps(translator)
    assert len(packed) < 10_000
    again = pickle.loads(packed)
    assert repr(again) == repr(translator)
    assert np.array_equal(again(decode(picture(3)).pixels), translator(decode(picture(3)).pixels))
    assert copy.copy(translator) is translator
    assert copy.deepcopy([translator])[0] is translator
    other = publish_tiny(tmp_path / "other", seed=1)
    shutil.rmtree(registry)
    shutil.move(other, registry)
    with pytest.raises(ModelError, match="was replaced meanwhile"):
        pickle.loads(packed)


def test_facts(tiny):
    assert (tiny.model, tiny.device, tiny.size) == ("tiny@1", "cpu", "native")
    assert (tiny.domains.a, tiny.domains.b) == ("noise", "other noise")
    assert (tiny.in_channels, tiny.out_channels, tiny.multiple) == (3, 3, 4)
    assert tiny.digest.startswith("sha256:")


def test_the_example_does_what_it_says(registry, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1))
    library_example.main(registry, tmp_path / "a.png", tmp_path)


@pytest.mark.slow
def test_the_example_passes_mypy_strictly():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "mypy", "--strict", "tests/library_example.py"]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_in_a_running_loop_as_a_notebook_has_one(tiny):
    pixels = decode(picture(6)).pixels

    async def cells():
        found = await asyncio.gather(*(asyncio.to_thread(tiny, pixels) for _ in range(4)))
        return [tiny(pixels), *tiny([pixels]), *found]

    assert all(np.array_equal(found, tiny(pixels)) for found in asyncio.run(cells()))


PROCESSES = """
import os, sys, threading, time
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from translate import load_translator

class Translated(Dataset):
    def __init__(self, translator):
        self.translator = translator
    def __len__(self):
        return 2
    def __getitem__(self, index):
        return self.translator(picture(index))

def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (150 + seed, 260, 3), dtype=np.uint8)

def forked(translator, expected):
    busy, stop = threading.Event(), threading.Event()
    def others():
        while not stop.is_set():
            translator(picture(2))
            busy.set()
    threads = [threading.Thread(target=others) for _ in range(2)]
    for thread in threads:
        thread.start()
    busy.wait()
    for _ in range(3):
        child = os.fork()
        if child == 0:
            same = np.array_equal(translator(picture(0)), expected)
            same = same and all(np.array_equal(found, expected) for found in translator([picture(0)] * 2))
            os._exit(0 if same else 1)
        until = time.monotonic() + 120
        while time.monotonic() < until and not (ended := os.waitpid(child, os.WNOHANG))[0]:
            time.sleep(0.05)
        if not ended[0]:
            os.kill(child, 9)
            sys.exit("the forked process hangs")
        assert ended[1] == 0, "the forked process made other pixels"
    stop.set()
    for thread in threads:
        thread.join()

if __name__ == "__main__":
    registry, engine, how = sys.argv[1:]
    translator = load_translator("even", registry=registry, size=64, engine=engine)
    expected = translator(picture(0))
    if how == "fork":
        forked(translator, expected)
    else:
        loader = DataLoader(Translated(translator), batch_size=None, num_workers=2, multiprocessing_context=how)
        assert np.array_equal(next(iter(loader)), expected)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize(("engine", "how"), [
    ("torch-bfloat16", "fork"), ("torch-float32", "fork"), ("torch-float32", "spawn"),
])
def test_other_processes(tmp_path, engine, how):
    registry = publish_tiny(tmp_path / "registry", "even", spread=0.05)  # near enough to float32 in bfloat16
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    command = [sys.executable, script, registry, engine, how]
    found = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert found.returncode == 0, found.stderr
