"""The page of a run in a real browser, as wide as a desk's, as a phone's, and on paper."""

import base64
import os
from pathlib import Path

import pytest

from alexnet_tf import visualize

pytestmark = pytest.mark.slow
# Of every image the pixels that were decoded; what was loaded beside the page; whether the page
# can be moved sideways as a whole; and the images or tables that stick out without a way to move.
SEEN = """
const sticksOut = (e) => e.getBoundingClientRect().right > window.innerWidth + 1;
return {
  images: [...document.images].map((image) => image.naturalWidth),
  loaded: performance.getEntriesByType("resource").map((e) => e.name.slice(0, 5)),
  sideways: document.documentElement.scrollWidth - window.innerWidth,
  lost: [...document.querySelectorAll("main > *, section > *")].filter(sticksOut).length,
  settings: document.querySelector("details pre").checkVisibility(),
};
"""


@pytest.fixture(scope="module")
def page(browser, made, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("page")
    arguments = ["--run", str(made.run), "--data", str(made.data), "--output", str(output)]
    assert visualize.main([*arguments, "--gallery", "30", "--html"]) == 0
    return output / "report.html"


@pytest.mark.parametrize("width", [1000, 390])
def test_all_of_it_can_be_seen(browser, page, width):
    size = {"width": width, "height": 2400, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get(page.as_uri())
        seen = browser.execute_script(SEEN)
        if "SCREENSHOTS" in os.environ:
            whole = {"captureBeyondViewport": True}
            shot = browser.execute_cdp_cmd("Page.captureScreenshot", whole)["data"]
            path = Path(os.environ["SCREENSHOTS"]) / f"report-{width}.png"
            path.write_bytes(base64.b64decode(shot))
        browser.execute_script("document.querySelector('summary').click()")
        unfolded = browser.execute_script(SEEN)
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.title == "paper: run"
    assert len(seen["images"]) == 4
    assert all(width > 0 for width in seen["images"])
    assert set(seen["loaded"]) <= {"data:"}
    assert (seen["settings"], unfolded["settings"]) == (False, True)
    for state in (seen, unfolded):
        assert state["sideways"] <= 0
        assert state["lost"] == 0
    assert browser.get_log("browser") == []  # what its policy had refused would be there


def test_on_paper_the_settings_are_unfolded(browser, page):
    browser.get(page.as_uri())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        seen = browser.execute_script(SEEN)
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert seen["settings"]
    assert seen["lost"] == 0
