"""The page of a run in a real browser, from the file system."""

import io

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from translate.pages.run import Failure, RunPage, Sample, render_run_page

pytestmark = pytest.mark.browser


def jpeg(seed, height, width):
    rng = np.random.default_rng(seed)
    waves = np.sin(np.linspace(0, 6, width)[None, :, None] + rng.uniform(0, 6, (height, 1, 3)))
    data = io.BytesIO()
    Image.fromarray((127 + 120 * waves).astype(np.uint8)).save(data, "JPEG")
    return data.getvalue()


def sample(key, height, width):
    return Sample(key, jpeg(1, height, width), jpeg(2, height, width), width, height)


PAGE = RunPage(
    pipeline="monet2photo", model="monet2photo@1", run="2026-11-22T0210-7f3a", started="2026-11-22T02:10:11Z",
    finished="2026-11-22T02:13:31Z", seconds=200.0, input_url="s3://in/" + "deep/" * 40, output_url="s3://out/",
    engine="torch-bfloat16", executor="local", work={"model digest": "sha256:" + "5c" * 32, "quality": 92},
    ok=1482, failed=2, skipped=214, not_images=12, codes={"input.not_an_image": 1, "input.truncated": 1},
    failures=[
        Failure("photos/" + "long-name-" * 30 + ".jpg", "input.truncated", "the file ends early"),
        Failure("<img src=http://example.com/x onerror=alert(1)>.jpg", "input.not_an_image", "<b>HTML</b>"),
    ],
    samples=[sample("wide.jpg", 300, 500), sample("tall.jpg", 500, 300), sample("strip.jpg", 2, 800)],
)


def shown_share(browser, picture):
    """Percent of the width at which the before image is clipped, as the browser computed it."""
    before = picture.find_element(By.CLASS_NAME, "before")
    clip = browser.execute_script("return getComputedStyle(arguments[0]).clipPath", before)
    left_out = clip.removeprefix("inset(").split()[1]
    text = left_out.removeprefix("calc(100% - ").removesuffix(")")
    return float(text.removesuffix("%")) if text != left_out else 100 - float(left_out.removesuffix("%"))


def test_opens_from_a_file_without_errors_or_requests(browser, show, asks_nobody):
    show(render_run_page(PAGE), 1280)
    assert browser.title == "monet2photo: 1,482 ok, 2 failed"
    assert browser.find_element(By.TAG_NAME, "h1").text == "monet2photo"
    loaded = browser.execute_script("return [...document.images].map(i => i.complete && i.naturalWidth)")
    assert loaded == [500, 500, 300, 300, 800, 800]
    asks_nobody()


def test_policy_stops_a_request(browser, show):
    show(render_run_page(PAGE), 1280)
    browser.execute_script("new Image().src = 'http://127.0.0.1:9/x.png'")
    assert "Content Security Policy" in " ".join(entry["message"] for entry in browser.get_log("browser"))


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_never_scrolls_sideways(show, stays_within, width):
    show(render_run_page(PAGE), width)
    stays_within(width, "thead")


def test_slider_with_the_keyboard(browser, show):
    show(render_run_page(PAGE), 1280)
    picture = browser.find_element(By.CLASS_NAME, "compare")
    slider = picture.find_element(By.TAG_NAME, "input")
    assert slider.accessible_name == "How much of wide.jpg is shown before translation"
    assert slider.aria_role == "slider"
    assert shown_share(browser, picture) == 50
    slider.send_keys(Keys.HOME)
    assert shown_share(browser, picture) == 0
    slider.send_keys(Keys.ARROW_RIGHT)
    assert shown_share(browser, picture) > 0
    slider.send_keys(Keys.END)
    assert shown_share(browser, picture) == 100
    assert slider.get_attribute("aria-valuetext") == "100 % before, the rest after"


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_slider_by_dragging(browser, show, kind):
    show(render_run_page(PAGE), 390)
    picture = browser.find_element(By.CLASS_NAME, "compare")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", picture)
    box = browser.execute_script("return arguments[0].getBoundingClientRect().toJSON()", picture)
    y = box["top"] + box["height"] / 2
    start, end = box["left"] + 0.5 * box["width"], box["left"] + 0.8 * box["width"]
    if kind == "mouse":
        chain = ActionChains(browser, duration=50)
        chain.w3c_actions.pointer_action.move_to_location(round(start), round(y))
        chain.w3c_actions.pointer_action.pointer_down()
        chain.w3c_actions.pointer_action.move_to_location(round(end), round(y))
        chain.w3c_actions.pointer_action.pointer_up()
        chain.perform()
    else:
        half = (start + end) / 2
        steps = [("touchStart", start), ("touchMove", half), ("touchMove", end), ("touchEnd", None)]
        for event, x in steps:
            points = [] if x is None else [{"x": x, "y": y}]
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": event, "touchPoints": points})
    assert shown_share(browser, picture) == pytest.approx(80, abs=1)


def test_hostile_keys_are_text(browser, show):
    show(render_run_page(PAGE), 1280)
    assert len(browser.find_elements(By.CSS_SELECTOR, "td img, td b")) == 0
    assert "onerror=alert(1)>.jpg" in browser.find_element(By.TAG_NAME, "table").text


def test_light_and_dark(browser, show):
    script = "const s = getComputedStyle(document.documentElement); return [s.backgroundColor, s.color]"
    show(render_run_page(PAGE), 1280, "light")
    light = browser.execute_script(script)
    show(render_run_page(PAGE), 1280, "dark")
    assert browser.execute_script(script) != light
