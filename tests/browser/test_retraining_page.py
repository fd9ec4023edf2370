"""The page of a retraining in a real browser, from the file system."""

import io

import numpy as np
import pytest
from PIL import Image

from translate.pages.retraining import Compared, Judged, RetrainingPage, SideBySide, render_retraining_page

pytestmark = pytest.mark.browser


def jpeg(shade):
    data = io.BytesIO()
    Image.fromarray(np.full((160, 160, 3), shade, np.uint8)).save(data, "JPEG")
    return data.getvalue()


def judged(number):
    pictures = [SideBySide("trainA/" + "deep/" * 30 + f"{i}.png", jpeg(20), jpeg(90), jpeg(160), jpeg(230))
                for i in range(6)]
    compared = [Compared(title, "lower", 0.0412, 0.0836, 0.0424, 0.00051, 0.0526, 0.01, passed=title != "KID")
                for title in ("KID", "layer distance to the answers", "light and dark kept", "checkerboard, dB")]
    return Judged(f"monet2photo@{number}", f"monet2photo@{number - 1}", False, compared, pictures, 160, 256,
                  256, "efficientnet-lite0")


PAGE = RetrainingPage(
    pipeline="monet2photo", state="kept", words=("monet2photo@2 stays: " + "x" * 300, "photo2monet@2 stays"),
    retraining="20261122T030000000Z-ab12", finished="2026-11-22 05:27 UTC",
    models=[judged(3), judged(7)], counts={"a": 108_000, "a, held out": 12_000, "answers_a": 5},
    difference={"new": 51_200, "removed": 3, "changed": 1}, images_seen=6000, seconds=5400.0,
    provenance={"data": "s3://in/" + "deep/" * 40, "snapshot": "sha256:" + "5c" * 32},
)


def test_opens_from_a_file_without_errors_or_requests(browser, show, asks_nobody):
    show(render_retraining_page(PAGE), 1280)
    assert browser.title == "retraining of monet2photo: kept"
    assert browser.execute_script("return [...document.images].map(i => i.naturalWidth)") == [160] * 48
    asks_nobody()


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_never_scrolls_sideways(show, stays_within, width):
    """But for the tables of figures, which do so in their own frame."""
    show(render_retraining_page(PAGE), width)
    stays_within(width, ".figures")


@pytest.mark.parametrize("width", [390, 1280])
def test_pictures_of_one_image_stand_in_one_row(browser, show, width):
    show(render_retraining_page(PAGE), width)
    tops = browser.execute_script(
        "return [...document.querySelectorAll('.sides img')].map(i => Math.round(i.getBoundingClientRect().top))")
    rows = [tops[i : i + 4] for i in range(0, len(tops), 4)]
    assert all(len(set(row)) == 1 for row in rows)
    assert len({row[0] for row in rows}) == 12
    heads = browser.execute_script(
        "return [...document.querySelectorAll('.sides')[0].querySelectorAll('.head b')].map(e => e.textContent)")
    assert heads == ["Before", "Champion", "Challenger", "Answer"]


def test_the_verdict_is_seen_without_scrolling_the_table(browser, show):
    show(render_retraining_page(PAGE), 390)
    right = browser.execute_script(
        "return Math.max(...[...document.querySelectorAll('td.passed, td.worse')]"
        ".map(e => e.getBoundingClientRect().right))")
    assert right <= 390
