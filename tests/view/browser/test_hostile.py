"""No token is obeyed: not as markup, not as script, not as direction, not as a formula."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from html import unescape
from typing import Any

import pytest

from regard.view.attention_view import View
from regard.view.document import About, Findings
from tests.view.browser.conftest import Open, settle
from tests.view.browser.test_page import saved
from tests.view.recorded import encoder

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    "-->",
    "<img src=x onerror=window.hacked=1>",
    '" onmouseover="window.hacked=1',
    "javascript:window.hacked=1",
    "{{constructor.constructor('window.hacked=1')()}}",
    "<svg onload=window.hacked=1>",
    "\u202e\u2066reversed\u2069",
    "\u200b\u200c\u200d\ufeff",
    "\u2028\u2029\x85\x0b\x00\x07\x1b[31m",
    "\ud800",
    "a\udfff",
    "\U000e0041\U000e0042",
    "x" * 10_000,
    "=HYPERLINK(1)",
    "+1",
    "-2+3",
    "@SUM(A1)",
    "",
    " ",
    "\n",
    "שלום",
    "مرحبا",
    "漢字",
    "e\u0301\u0301\u0301",
]


def view() -> View:
    findings = Findings(tags={(0, 1): HOSTILE[:3]})
    about = About(title=HOSTILE[0], model=HOSTILE[3], answer=HOSTILE[4], checkpoint=HOSTILE[1])
    maps = [each.called(HOSTILE[3] + "decoder") for each in encoder(HOSTILE, layers=1, heads=2)]
    return View(maps, HOSTILE, about=about, findings=findings)


@pytest.fixture(scope="module")
def html() -> str:
    return view().html()


def is_unharmed(page: Any) -> bool:
    return bool(
        page.evaluate(
            """() => {
              const root = document.getElementById("regard").shadowRoot;
              const tags = ["script", "img", "svg:not(.icon)", "iframe", "a", "object", "[onload]"];
              const intruders = tags.filter((tag) => root.querySelector(tag));
              return window.hacked === undefined && intruders.length === 0;
            }"""
        )
    )


@pytest.mark.parametrize("shown", ["lines", "matrix", "text", "compare"])
def test_no_token_becomes_anything_but_text(opened: Open, html: str, shown: str) -> None:
    page = opened(html, f"#view={shown}")
    for panel in ("row", "steps", "if", "ask"):
        settle(page, {"panel": panel, "q": 3, "k": 0})
        assert is_unharmed(page)


def test_what_turns_or_hides_text_is_shown_as_its_code(opened: Open, html: str) -> None:
    page = opened(html, "#view=text")
    shown = page.locator(".flow .tokens span").all_inner_texts()
    everything = page.locator(".regard").inner_text()
    for hidden in "\u202e\u2066\u2069\u200b\ufeff\u2028\x1b\x00":
        assert hidden not in everything
    assert "[U+202E]" in shown[8] and "[U+200B]" in shown[9] and "[U+D800]" in shown[11]
    assert len(shown[14]) < 100 and shown[19] == "∅" and shown[20] == "␣" and shown[21] == "⏎"
    assert shown[22] == "שלום"


def test_saved_tables_and_pictures_are_inert(opened: Open, html: str) -> None:
    page = opened(html, "#view=matrix")
    rows = list(csv.reader(io.StringIO(saved(page, "csv")[1].decode("utf-8-sig"))))
    for row in [rows[0], *([row[0]] for row in rows)]:
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    assert rows[0][1 + HOSTILE.index("=HYPERLINK(1)")] == "'=HYPERLINK(1)"
    for shown in ("matrix", "lines", "text"):
        settle(page, {"view": shown})
        svg = saved(page, "svg")[1]
        kinds = {element.tag.split("}")[1] for element in ElementTree.fromstring(svg).iter()}
        assert kinds <= {"svg", "rect", "text", "path", "title", "image"}


def test_the_policy_stops_a_script_that_came_in_all_the_same(opened: Open, html: str) -> None:
    page = opened(html)
    done = page.evaluate(
        """async () => {
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          const fetched = await fetch("data:text/plain,x").then(() => true, () => false);
          return [window.hacked === undefined, fetched];
        }"""
    )
    assert done == [True, False]
    assert len(opened.complaints) >= 2
    opened.complaints.clear()


def test_two_views_in_a_notebook_know_nothing_of_each_other(opened: Open, tmp_path: Any) -> None:
    bundles = [view()._repr_mimebundle_(), View(encoder("abc", 1, 3), "abc")._repr_mimebundle_()]
    frames = "".join(bundle["text/html"] for bundle in bundles)
    assert all("height:" in bundle["text/html"] for bundle in bundles)
    page = opened(f"<!doctype html><meta charset=utf-8><div class=regard data-ready>{frames}</div>")
    for number, tokens in enumerate((HOSTILE, "abc")):
        frame = page.frames[1 + number]
        frame.wait_for_selector(".regard[data-ready]")
        assert frame.locator(".panel tbody tr").count() == len(tokens)
    page.frames[2].locator("[data-name=matrix]").click()
    page.frames[2].wait_for_selector("canvas.heat")
    assert page.frames[1].locator("canvas.heat").count() == 0
    heights = [box["height"] for box in (f.bounding_box() for f in page.locator("iframe").all())]
    page.wait_for_timeout(200)
    assert heights == [box.bounding_box()["height"] for box in page.locator("iframe").all()]
    assert unescape(frames).count("default-src 'none'") == 2
