"""From a training's output to its page."""

import json

import numpy as np
import pytest
from page_reader import Reader

from translate.images.codec import encode
from translate.images.picture import Picture
from translate.pages.training import SHOWN_SHEETS
from translate.stores import open_store
from translate.training.page import PAGE_KEY, SHEET_PX, write_page


def put_lines(store, key, lines):
    store.put(key, "".join(json.dumps(line) + "\n" for line in lines).encode())


def put_sheet(store, images, height=40, width=80):
    pixels = np.full((height, width, 3), images % 251, np.uint8)
    store.put(f"samples/{images:010d}.png", encode(Picture(pixels, None, "png"), "png", 100))


@pytest.fixture
def output(tmp_path):
    """What a training of 3,000 images leaves, 20 s a line."""
    store = open_store(str(tmp_path))
    store.put("config.json", b'{"batch":2,"data":{"a":"trainA"},"images":4000,"seed":3}')
    put_lines(store, "status.jsonl", [
        {"images": n * 100, "seconds": n * 20.0, "rate": 1e-4, "images_per_s": 5.12, "G_ab": 0.5, "l1": 1.0 + n}
        for n in range(1, 31)])
    put_lines(store, "evaluations.jsonl", [
        {"images": n, "seconds": n / 5, "scores": {"G_ab": {"kid": 0.25 + n / 1e5}}, "best": n == 1000}
        for n in (1000, 2000, 3000)])
    put_lines(store, "events.jsonl", [{"images": 2400, "event": "warning", "message": "<b>colours</b> are inverted"}])
    for images in (1000, 2000, 3000):
        put_sheet(store, images)
    return store


def page(store, **changes):
    write_page(store, **({"state": "running", "seen": 3000, "seconds": 600.0} | changes))
    return Reader(store.get(PAGE_KEY).data)


def alts(read):
    return [attrs["alt"] for tag, attrs in read.tags if tag == "img"]


def test_the_page_tells_what_the_files_hold(output):
    read = page(output, pipeline="mine", data_url="s3://sets/", data_summary="9 images of a",
                precision="float32", config_digest="sha256:5c")
    for words in ("training of mine", "of 4,000", "5.12", "s3://sets/", "9 images of a", "float32", "sha256:5c",
                  "seed: 3", "<b>colours</b> are inverted", "0.260", "l1"):
        assert words in read.text
    assert alts(read) == ["After 1,000 images", "After 2,000 images", "After 3,000 images"]
    assert read.text.index("batch: 2") < read.text.index("images: 4000") < read.text.index("a: trainA")


def test_what_lies_beyond_a_resume_is_left_out_but_for_events(output):
    read = page(output, seen=2100, seconds=420.0)
    assert alts(read) == ["After 1,000 images", "After 2,000 images"]
    assert "0.270" in read.text
    assert "0.280" not in read.text
    assert "after 2,400 images" in read.text
    assert "l1 ends at 22" not in read.text
    [label] = [attrs["aria-label"] for _, attrs in read.tags if attrs.get("aria-label", "").startswith("L1 over")]
    assert 20 < float(label.split()[-1]) < 22


def test_an_output_that_is_nearly_empty(tmp_path):
    read = page(open_store(str(tmp_path)), seen=0, seconds=0.0)
    assert "Running" in read.text


def test_why_it_stopped_is_told(output):
    assert "the disk is full" in page(output, state="stopped", reason="the disk is full").text


def test_many_large_sheets_become_few_small_ones(output):
    for images in range(100, 3000, 100):
        put_sheet(output, images, 2000, 100)
    read = page(output)
    shown = alts(read)
    assert len(shown) == SHOWN_SHEETS
    assert (shown[0], shown[-1]) == ("After 100 images", "After 3,000 images")
    assert "12 of 30 sheets" in " ".join(read.text.split())
    first = next(attrs for tag, attrs in read.tags if tag == "img")
    assert (first["width"], first["height"]) == (str(SHEET_PX // 20), str(SHEET_PX))
