"""`from translate import load_translator`: the same pixels as `translate run`, from arrays, paths and URLs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from image_files import png
from jobs import picture
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
    for file in sorted(pictures.iterdir()):
        found = translator(file)
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
    assert repr(plain) == f"<ImageTranslator tiny@1 on {plain.engine}>"


def test_mistakes_say_what_was_expected(tiny, tmp_path, registry):
    with pytest.raises(ModelError, match=r"no model 'nosuch'.*known: .*monet2photo@"):
        load_translator("nosuch")
    with pytest.raises(ConfigError, match="size: must be native or the short side"):
        load_translator("tiny", registry=registry, size=3)
    with pytest.raises(UsageError, match="is calibrated on the images of a job"):
        load_translator("tiny", registry=registry, engine="openvino-int8")
    with pytest.raises(UsageError, match="has no model yet"):
        load_translator("horse2zebra")
    for array in (np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((3, 5, 5), np.uint8),
                  np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(UsageError, match=r"expected uint8 HWC: \(H, W, 3\) RGB"):
            tiny(array)
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
            "assert set(translate.__all__) == {'__version__', 'load_translator'}")
    subprocess.run([sys.executable, "-c", code], check=True)
