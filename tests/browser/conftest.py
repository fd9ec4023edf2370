"""A real Chromium, without a window and without leaving this machine."""

import json
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page from a file, at a width in CSS pixels; forgets earlier log entries."""

    def open_page(page, width, scheme="light"):
        file = tmp_path / "page.html"
        file.write_bytes(page)
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.get("about:blank")
        browser.get_log("performance")
        browser.get_log("browser")
        browser.get(file.as_uri())

    return open_page


@pytest.fixture
def asks_nobody(browser):
    """Fails if the page that is shown said anything to the console, or asked for more than its own file."""

    def check():
        assert browser.get_log("browser") == []
        events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        assert requests, "the log of requests is empty, so it proves nothing"
        assert [url for url in requests if not url.startswith(("file:", "data:"))] == []

    return check


@pytest.fixture
def stays_within(browser):
    """Fails if the page that is shown is wider than so many CSS pixels, or anything but what has its own frame."""

    def check(width, *framed):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        assert browser.execute_script("return innerWidth") == width
        too_wide = browser.execute_script(
            "return [...document.querySelectorAll('body *')].filter(e => !e.closest(arguments[0])"
            " && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))",
            ", ".join(framed))
        assert too_wide == []

    return check


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A Chromium under WebDriver; its log of network events and console messages is kept."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.fail("browser tests need Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()
