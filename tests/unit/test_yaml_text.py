"""YAML is read as version 1.2 says, mistakes are named with their line, and bombs are refused at once."""

import math
import time

import pytest

from translate.config import load_pipeline, pipeline_names
from translate.errors import ConfigError
from translate.yaml_text import read_yaml, write_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{now}: &{now} [{', '.join([f'*{before}'] * 9)}]\n" for before, now in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(("text", "value"), [
    ("1e-4", 1e-4), ("2e-4", 2e-4), ("1E+3", 1000.0), (".5", 0.5), ("010", 10), ("0x1f", 31), ("-.inf", -math.inf),
    ("true", True), ("False", False), ("yes", "yes"), ("off", "off"), ("12:30", "12:30"), ("~", None), ("", None),
    ("[0.5, 0.999]", [0.5, 0.999]),
])
def test_values_are_those_of_version_1_2(text, value):
    found = read_yaml(text, "here")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "words"), [
    ("train:\n  batch: 4\n  data: {a: one}\n  batch: 8\n", r'^mine, line 4 .*duplicate key "batch" with value "8"'),
    ("run: {size: 64, size: 320}", r'^mine, line 1 .*duplicate key "size"'),
    ("betas: [0.5, 0.9", r"^mine, line 1 is not valid YAML: expected ',' or '\]'"),
    ("a: 1\nb: *base", r"^mine, line 2 .*undefined alias 'base'"),
    ("a: !!python/name:os.system x", r"^mine, line 1: tags .* mean nothing here"),
    ("a:\n\tb: 1", "line 2 .*indented with a tab; use blanks"),
    ("a: 1\n---\nb: 2", "^mine, line 2 .*another document|expected a single document"),
    ("a: 2026-99-99", "^mine is not valid YAML: month"),
    ("a: \x00", "^mine is not valid YAML: "),
])
def test_mistakes_are_named_with_their_line(text, words):
    with pytest.raises(ConfigError, match=words):
        read_yaml(text, "mine")


@pytest.mark.parametrize(
    "text", ["[" * 20_000, "{a: " * 20_000, "- " * 20_000, BOMB, "- x\n" * 50_000],
    ids=["brackets", "braces", "dashes", "aliases", "values"])
def test_bombs_are_refused_quickly(text):
    began_s = time.process_time()
    with pytest.raises(ConfigError, match="more than 32 deep, or more than 10,000 values"):
        read_yaml(text, "mine")
    assert time.process_time() - began_s < 5


def test_an_alias_within_itself_is_refused():
    with pytest.raises(ConfigError, match=r"line 2: the alias \*loop stands within"):
        read_yaml("a: 1\nloop: &loop [1, [*loop]]", "mine")


def test_the_same_key_in_two_places_and_aliases_are_fine():
    text = "base: &base {size: 64}\nrun: {<<: *base, size: 320}\nagain: [*base, *base]\n"
    assert read_yaml(text, "mine") == {"base": {"size": 64}, "run": {"size": 320}, "again": [{"size": 64}] * 2}


@pytest.mark.parametrize("name", pipeline_names())
def test_what_is_written_is_read_back_the_same(name):
    value = load_pipeline(name).model_dump(mode="json")
    text = write_yaml(value)
    assert read_yaml(text, name) == value
    assert list(read_yaml(text, name)) == list(value)


def test_words_that_look_like_something_else_stay_words():
    value = {"text": ["1e-4", "true", "", "null", "2026-01-01", "x: y", "Straße", "0x1f", "#"], "number": [1e-4, 1e22]}
    assert read_yaml(write_yaml(value), "mine") == value
