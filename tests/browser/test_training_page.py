"""The page of a training in a real browser, from the file system."""

import io

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from translate.pages.training import Event, Scored, Sheet, TrainingPage, render_training_page

pytestmark = pytest.mark.browser


def sheet(images, height, width):
    data = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), images % 251, np.uint8)).save(data, "JPEG")
    return Sheet(images, data.getvalue(), width, height)


RANDOM = np.random.default_rng(0)
PAGE = TrainingPage(
    state="stopped", reason="a gradient is not finite " + "x" * 300,
    written="2026-11-22 05:27 UTC", seen=60_000, seconds=20_000.0, minutes=None, images_per_s=3.0,
    config={"images": 100_000, "data": {"a": "trainA" * 40, "crop_px": 160}},
    status=[{"images": 60 * n, "seconds": 20.0 * n, "rate": 2e-4, "images_per_s": 3.0,
             **{name: float(RANDOM.uniform(0.2, 0.4)) for name in ("G_ab", "G_ba", "D_a", "D_b", "cycle_a", "cycle_b")}}
            for n in range(1, 1001)],
    sheets=[sheet(20_000, 720, 1440), sheet(40_000, 720, 1440), sheet(60_000, 720, 1440)], sheets_made=3,
    evaluations=[Scored(20_000 * n, 7000.0 * n, {role: dict.fromkeys(
        ("kid", "layer_distance", "l1", "psnr_db", "ssim", "edge_agreement"), 0.5 / n) for role in ("G_ab", "G_ba")},
        n == 2) for n in (1, 2, 3)],
    events=[Event(30_000, "recovered", "<img src=http://example.com/x onerror=alert(1)> " + "long" * 80)],
    provenance={"data": "s3://in/" + "deep/" * 40, "configuration": "sha256:" + "5c" * 32},
)


def test_opens_from_a_file_without_errors_or_requests(browser, show, asks_nobody):
    show(render_training_page(PAGE), 1280)
    assert browser.title == "training: stopped, 60,000 images seen"
    assert browser.execute_script("return [...document.images].map(i => i.naturalWidth)") == [1440] * 3
    asks_nobody()


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_never_scrolls_sideways(show, stays_within, width):
    """But for the sheets and the tables of scores, which do so in their own frame."""
    show(render_training_page(PAGE), width)
    stays_within(width, ".scroll", "thead")


def test_back_in_time_with_the_keyboard(browser, show):
    show(render_training_page(PAGE), 1280)
    slider = browser.find_element(By.CSS_SELECTOR, ".sheets input")
    assert slider.accessible_name == "Sample sheet over time"

    def shown():
        found = [image.get_attribute("alt") for image in browser.find_elements(By.CSS_SELECTOR, ".sheets img")
                 if image.is_displayed()]
        assert found == [slider.get_attribute("aria-valuetext")]
        assert found == [browser.find_element(By.CSS_SELECTOR, ".sheets output").text]
        return found[0]

    assert shown() == "After 60,000 images"
    slider.send_keys(Keys.ARROW_LEFT)
    assert shown() == "After 40,000 images"
    slider.send_keys(Keys.HOME)
    assert shown() == "After 20,000 images"


@pytest.mark.parametrize("width", [390, 1280])
def test_text_of_the_charts_can_be_read(browser, show, width):
    show(render_training_page(PAGE), width)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('.chart text')].map(t => t.getBoundingClientRect().height)")
    assert len(sizes) > 50
    assert min(sizes) >= 11
    overlaps = browser.execute_script("""
        return [...document.querySelectorAll('.chart > svg')].flatMap(svg => {
          const boxes = [...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect());
          return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b =>
            a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom));
        }).length""")
    assert overlaps == 0


def test_curves_are_inside_their_plots(browser, show):
    show(render_training_page(PAGE), 390)
    outside = browser.execute_script("""
        return [...document.querySelectorAll('.chart path:not(.raw)')].filter(path => {
          const curve = path.getBoundingClientRect(), plot = path.ownerSVGElement.getBoundingClientRect();
          return curve.left < plot.left - 2 || curve.right > plot.right + 2 || curve.width < 20
            || curve.top < plot.top - 2 || curve.bottom > plot.bottom + 2;
        }).length""")
    assert outside == 0


def test_hostile_messages_are_text(browser, show):
    show(render_training_page(PAGE), 1280)
    assert browser.find_elements(By.CSS_SELECTOR, "td img") == []
    assert "onerror=alert(1)>" in browser.find_element(By.CSS_SELECTOR, "table.events").text


def test_light_and_dark(browser, show):
    script = "return getComputedStyle(document.querySelector('.chart path')).stroke"
    show(render_training_page(PAGE), 1280, "light")
    light = browser.execute_script(script)
    show(render_training_page(PAGE), 1280, "dark")
    assert browser.execute_script(script) != light
