"""The data section: a layout's own places, and a digest that older trainings still have. Mistakes in a YAML."""

import pytest

from translate.config import Data, Pipeline, Run, canonical_json, load_pipeline, parse_pipeline, validate
from translate.errors import ConfigError

SIZES = {"short_side_px": [32, 32], "crop_px": 32}


def test_folders_are_written_as_they_were_before_other_layouts():
    """A key more would change the digest, and trainings begun before could not be resumed."""
    data = validate(Data, {**SIZES, "kind": "paired", "a": "train/ink", "b": "train/render"}, "here")
    assert canonical_json(data.model_dump(mode="json")) == (
        '{"a":"train/ink","answers_a":null,"answers_b":null,"b":"train/render","channels_a":3,"channels_b":3,'
        '"crop_px":32,"flip":true,"jitter":0.0,"kind":"paired","short_side_px":[32,32],"test_a":null,"test_b":null}'
    )


@pytest.mark.parametrize("values", [
    {"kind": "unpaired", "a": "x"},
    {"kind": "paired", "layout": "side_by_side", "pairs": "train", "test_pairs": "val", "left": "b"},
    {"kind": "paired", "layout": "manifest", "pairs": "pairs.csv"},
])
def test_what_is_written_reads_the_same(values):
    data = validate(Data, {**SIZES, **values}, "here")
    written = data.model_dump(mode="json")
    assert validate(Data, written, "there") == data
    assert values.items() <= written.items()


@pytest.mark.parametrize(("values", "message"), [
    ({"kind": "paired", "layout": "side_by_side", "pairs": "x", "a": "y"}, "layout side_by_side does not read a"),
    ({"kind": "paired", "layout": "manifest", "pairs": "x", "left": "b"}, "layout manifest does not read left"),
    ({"kind": "paired", "pairs": "x"}, "layout folders does not read pairs"),
    ({"kind": "paired", "layout": "manifest"}, "layout manifest needs kind: paired, and pairs"),
    ({"kind": "unpaired", "layout": "side_by_side", "pairs": "x"}, "layout side_by_side needs kind: paired"),
])
def test_places_of_another_layout_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        validate(Data, {**SIZES, **values}, "here")


GOOD = "name: mine\nsummary: x\ndomains: {a: x, b: y}\n"


@pytest.mark.parametrize(("text", "message"), [
    (GOOD + "runn: {size: 64}", r"\n  runn: unknown key; `translate pipelines show NAME`"),
    (GOOD + "run: {size: '64'}", r"\n  run\.size: must be native or .* 8 or more \(got '64'\)$"),
    (GOOD + "run: {size: 7}", r"\n  run\.size: must be native or .* \(got 7\)$"),
    (GOOD + "run: {size: true}", r"\n  run\.size: must be native or .* \(got True\)$"),
    ("name: mine\nsummary: x\ndomains: {a: x}", r"\n  domains\.b: is missing$"),
    ("name: mine\ndomains:\n\ta: x", "indented with a tab; use blanks"),
    ("name: 2026-99-99", "not valid YAML"),
    ("", "must hold a mapping .* got nothing"),
    ("name: caf\xe9", "it is not UTF-8; give a YAML file in UTF-8"),
])
def test_mistakes_in_a_file_are_named(tmp_path, text, message):
    file = tmp_path / "mine.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=message) as raised:
        load_pipeline(str(file))
    assert "mine.yaml" in str(raised.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "mine.yaml").write_text(GOOD + "run: {size: 64}", encoding="utf-8-sig")
    assert load_pipeline(str(tmp_path / "mine.yaml")).run.size == 64


@pytest.mark.parametrize(("asked", "format_"), [("jpg", "jpeg"), ("tif", "tiff"), ("webp", "webp")])
def test_extensions_are_formats(asked, format_):
    assert validate(Run, {"format": asked}, "here").format == format_


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match=r"format: .*'gif'"):
        validate(Run, {"format": "gif"}, "here")


def test_a_key_that_is_given_twice_is_named_with_its_line():
    with pytest.raises(ConfigError, match=r'mine.yaml, line 7 .*duplicate key "size"'):
        parse_pipeline(GOOD + "\nrun:\n  size: 64\n  size: 320\n", "mine.yaml")


def test_no_number_is_infinite():
    with pytest.raises(ConfigError, match=r"max_megapixels: .*finite"):
        parse_pipeline(GOOD + "\nrun: {max_megapixels: .inf}\n", "mine.yaml")


@pytest.mark.parametrize(("changes", "decides"), [
    ({"model": "other"}, True), ({"run": {"size": 72}}, True), ({"run": {"quality": 50}}, True),
    ({"training": {"learning_rate": 1e-3}}, True), ({"training": {"images": 10}}, True),
    ({"training": {"data": {"flip": True}}}, True),
    ({"summary": "another"}, False), ({"name": "another"}, False), ({"domains": {"a": "other"}}, False),
    ({"run": {"fail_share": 0.5}}, False), ({"run": {"max_megapixels": 1.0}}, False),
    ({"training": {"sample_every_images": 7}}, False), ({"training": {"checkpoint_every_images": 7}}, False),
    ({"retraining": {"new_images": 3}}, False),
], ids=str)
def test_a_digest_covers_what_decides_pixels_and_weights(changes, decides):
    pipeline = load_pipeline("flat2render")
    values = pipeline.model_dump(mode="json")
    for group, value in changes.items():
        values[group] = merged(values[group], value) if isinstance(value, dict) else value
    assert (validate(Pipeline, values, "changed").digest != pipeline.digest) == decides


def merged(values, changes):
    return values | {key: merged(values[key], value) if isinstance(value, dict) else value
                     for key, value in changes.items()}
