"""One browser for all tests of the page; a page that complains or asks for anything fails."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY = ".regard[data-ready]"


def _chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: make browser, or apt-get install chromium")
    assert found is not None, "CI tests the page in Chromium, which is not installed: make browser"
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = _chromium()
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


class Open:
    """Opens pages; `complaints` are what they said on the console."""

    def __init__(self, opening: Callable[..., Any], complaints: list[str]) -> None:
        self.opening, self.complaints = opening, complaints

    def __call__(self, html: str, link: str = "", **options: Any) -> Any:
        return self.opening(html, link, **options)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open a page's text as a file; in the end it has not complained, and has asked for nothing."""
    contexts, complaints, requests = [], [], []

    def opening(
        html: str, link: str = "", width: int = 1200, height: int = 900, **options: Any
    ) -> Any:
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(html, "utf-8")
        viewport = {"width": width, "height": height}
        context = browser.new_context(viewport=viewport, locale="en-US", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + link)
        page.wait_for_selector(READY)
        return page

    yield Open(opening, complaints)
    for context in contexts:
        context.close()
    asked = [url[:80] for url in requests if not url.startswith(("data:", "blob:", "about:"))]
    outside = [url for url in asked if not url.startswith(tmp_path.as_uri())]
    assert not complaints and not outside


def state(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("document.getElementById('regard').regard.state")
    return found


def settle(page: Any, patch: dict[str, Any]) -> None:
    """Set what is looked at, and wait until it is drawn."""
    page.evaluate(
        """async (patch) => {
          const { regard, shadowRoot } = document.getElementById("regard");
          const root = shadowRoot.querySelector(".regard");
          const before = regard.state;
          delete root.dataset.ready;
          regard.set(patch);
          if (regard.state === before) root.dataset.ready = "same";
          while (!root.dataset.ready) await new Promise((done) => setTimeout(done, 5));
        }""",
        patch,
    )


def weights_of(page: Any, layer: int, head: int, rows: list[int]) -> list[list[float]]:
    """The weights that the page has of some rows."""
    found: list[list[float]] = page.evaluate(
        """async ([layer, head, rows]) => {
          const doc = document.getElementById("regard").regard.model.docs[0];
          const field = doc.field(String(layer), String(head), doc.stackOf(layer));
          await field.load();
          return rows.map((i) => Array.from(field.row(i)));
        }""",
        [layer, head, rows],
    )
    return found


def colors_in(page: Any, selector: str) -> int:
    """How many colors a canvas has, by a tenth of its pixels."""
    found: int = page.locator(selector).first.evaluate(
        """(canvas) => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const colors = new Set();
          for (let at = 0; at < data.length; at += 40) {
            if (data[at + 3]) colors.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
          }
          return colors.size;
        }"""
    )
    return found
