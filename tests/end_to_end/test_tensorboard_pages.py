"""TensorBoard's pages of a run, opened in a real browser (Chromium, headless)."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import PATIENCE

pytestmark = pytest.mark.slow

# The text of a page and of its shadow trees and frames, which innerText leaves out.
TEXT = """
const texts = [];
(function walk(node) {
  if (node.nodeType === Node.TEXT_NODE) texts.push(node.textContent);
  if (node.shadowRoot) walk(node.shadowRoot);
  if (node.nodeName === "IFRAME" && node.contentDocument) walk(node.contentDocument.body);
  if (!["STYLE", "SCRIPT", "TEMPLATE"].includes(node.nodeName))
    for (const child of node.childNodes) walk(child);
})(document.body);
return texts.join(" ").replace(/\\s+/g, " ");
"""


@pytest.fixture(scope="module")
def address(browser, made):
    """Of a TensorBoard over the run that the end-to-end tests share."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(made.run), "--port", "0"]
    # Its own server answers for the files' reader, too: no second process to wait for.
    command += ["--load_fast", "false", "--host", "127.0.0.1"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    late = threading.Timer(PATIENCE, server.kill)
    late.start()
    try:
        for line in server.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                break
        else:
            pytest.fail("TensorBoard ended without saying where it serves")
        late.cancel()
        yield found[0].rstrip("/")
    finally:
        late.cancel()
        server.terminate()
        server.wait(PATIENCE)


def open_page(browser, address: str, tab: str, *expected: str) -> None:
    """Waits until the page shows all that is expected; fails naming what is missing.

    With SCREENSHOTS=DIR in the environment an image of each page is kept there.
    """
    browser.get("about:blank")  # else a change of the address's fragment alone loads nothing
    browser.get(f"{address}/{tab}")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        text = browser.execute_script(TEXT)
        missing = [part for part in expected if part not in text]
        if not missing:
            break
        time.sleep(0.5)
    if "SCREENSHOTS" in os.environ:
        time.sleep(5)  # until charts and images are drawn
        name = tab.strip("#?").split("&")[0] or "start"
        browser.save_screenshot(str(Path(os.environ["SCREENSHOTS"]) / f"{name}.png"))
    assert not missing, f"{tab} lacks {missing}; it shows: {text[:3000]}"


def test_scalars_of_both_splits(browser, address):
    open_page(
        browser,
        address,
        "#scalars",
        "epoch",
        "top-1 error",
        "top-5 error",
        "loss",
        "learning rate",
        "speed",
        "tensorboard/train",
        "tensorboard/validation",
    )


def test_images(browser, address):
    open_page(
        browser,
        address,
        "#images",
        "first layer",
        "augmented training images",
        "confusion matrix",
    )


def test_histograms_of_weights(browser, address):
    open_page(browser, address, "#histograms", "conv1_a", "fc8")


def test_texts(browser, address):
    # A setting of this run, and the head of the table.
    expected = ("configuration", "keep-variance", "worst classes", "most often taken for")
    open_page(browser, address, "#text", *expected)


def test_hyperparameters(browser, address):
    open_page(
        browser,
        address,
        "#hparams",
        "network.width",
        "schedule.rate",
        "validation top-1 error",
    )


def test_projector(browser, address):
    # The validation images, the features of both towers, and a column of their names.
    open_page(browser, address, "#projector", "features", "20x204", "Points: 20", "identifier")


def test_graph(browser, address):
    open_page(browser, address, "#graphs&run=tensorboard%2Ftrain", "image", "alexnet_paper")
