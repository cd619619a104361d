"""Pages in the Chromium of the system (`apt install chromium`); none is downloaded.

Tests take the fixture `chromium` or `watch`, which tests/e2e/conftest.py makes known, and name what
they need:
`@pytest.mark.needs("chromium")`.
"""

import os
import time

import pytest

from tests.needs import find_program, read_packages

PATIENCE_MS = 20_000  # the machine may be busy; how long a page really takes is for the benchmark
WCAG_AA = 4.5


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root, as in a container.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        program = find_program(*read_packages()["chromium"].programs)
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


class Watched:
    """A page whose console, errors and requests are looked at when the test ends.

    Args:
        page: Of playwright.
        address: Of the one thing that it may load.
    """

    def __init__(self, page, address):
        self.page = page
        self.said, self.requests = [], []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url.split("#")[0]))
        page.goto(address)
        page.wait_for_selector("html[data-ready]", state="attached")
        self.address = address.split("#")[0]

    def verify(self):
        """Nothing was said on the console, nothing was asked of any network.

        Of a page that a server shows: of no other server.
        """
        assert self.said == []
        asked = {url for url in self.requests if not url.startswith("data:")}
        if self.address.startswith("http://127.0.0.1:"):
            origin = "/".join(self.address.split("/")[:3])
            assert {"/".join(url.split("/")[:3]) for url in asked} == {origin}
        else:
            assert asked == {self.address}


@pytest.fixture
def watch(chromium):
    """Opens an address, and looks at its console and requests when the test ends."""
    watched = []

    def open_page(address, width=1280, height=900, theme="light"):
        page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
        watched.append(Watched(page, address))
        return page

    yield open_page
    for one in watched:
        one.verify()
        one.page.close()


def until(page, expression, arg=None):
    """Waits for an expression to come true. Playwright's own way is an eval: forbidden here."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


# Of every text that is shown: its contrast with what is behind it, and how it begins.
CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const shown = element.getClientRects().length && walker.currentNode.data.trim();
    if (!shown || element.closest("script, style, :disabled")) continue;
    const style = getComputedStyle(element);
    const colour = element.closest("svg") ? style.fill : style.color;
    const [one, other] = [light(parse(colour).slice(0, 3)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    poor.push([contrast, walker.currentNode.data.trim().slice(0, 40)]);
  }
  return poor;
}"""
