"""The attention page as a reader has it: what is seen, clicked, typed, saved and linked."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
import torch

import regard
from regard.view.attention_view import View
from regard.view.document import About, Findings
from tests.patience import until
from tests.view.browser.conftest import Open, colors_in, settle, state
from tests.view.recorded import Recorded, encoder, heads_of

TEXT = "[CLS] the cat sat on the mat because it was un ##like ##ly warm . the cat slept [SEP]"
TOKENS = TEXT.split()


@pytest.fixture(scope="module")
def html() -> str:
    tags = {(1, 2): ("induction",)}
    findings = Findings(tags=tags, effects=torch.rand(2, 6))
    about = About(model="a model", answer="an answer")
    return View(encoder(TOKENS), TOKENS, about=about, findings=findings).html()


def test_every_view_shows_something(opened: Open, html: str) -> None:
    page = opened(html)
    assert colors_in(page, "canvas.grid") > 20
    assert colors_in(page, "canvas.lines") > 20
    settle(page, {"view": "matrix"})
    assert colors_in(page, "canvas.heat") > 20
    settle(page, {"view": "compare"})
    assert page.locator("canvas.heat").count() == 3
    for number in range(3):
        assert colors_in(page, f"figure:nth-of-type({number + 1}) canvas.heat") > 20
    settle(page, {"view": "text"})
    assert page.locator(".flow .tokens span").count() == len(TOKENS)
    shades = page.locator(".flow .tokens span").evaluate_all(
        "(spans) => spans.map((span) => getComputedStyle(span).backgroundColor)"
    )
    assert len(set(shades)) > 3
    for panel, selector in (("row", "tbody tr"), ("steps", ".step"), ("ask", "details")):
        settle(page, {"panel": panel})
        assert page.locator(f".panel {selector}").count() >= 5


def test_provenance_is_always_on_screen(opened: Open, html: str) -> None:
    page = opened(html)
    for layer in ("0", "mean", "rollout"):
        settle(page, {"layer": layer})
        facts = page.locator(".facts").inner_text()
        assert "a model" in facts and "scaled_dot" in facts and "float32" in facts
        assert "256 levels" in facts and "0.00" in facts and "recomputed" in facts
    settle(page, {"layer": "0", "change": {**state(page)["change"], "normalizer": "sparsemax"}})
    assert "not what the network computed" in page.locator(".facts").inner_text()


def test_a_click_on_a_small_picture_chooses_its_head(opened: Open, html: str) -> None:
    page = opened(html)
    grid = page.locator("canvas.grid")
    box = grid.bounding_box()
    grid.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.75})
    assert state(page)["layer"] == "1" and int(state(page)["head"]) >= 3


def test_a_click_on_a_token_or_a_cell_chooses_it(opened: Open, html: str) -> None:
    page = opened(html)
    page.locator("canvas.lines").click(position={"x": 60, "y": 24 * 4 + 18})
    assert state(page)["q"] == 4
    width = page.locator("canvas.lines").bounding_box()["width"]
    page.locator("canvas.lines").click(position={"x": width - 60, "y": 24 * 2 + 18})
    assert state(page)["k"] == 2
    settle(page, {"view": "matrix"})
    box = page.locator("canvas.heat").bounding_box()
    page.locator("canvas.heat").click(position={"x": box["width"] - 12, "y": box["height"] - 12})
    assert state(page)["q"] == state(page)["k"] == len(TOKENS) - 1
    page.locator("canvas.heat").hover(position={"x": box["width"] - 12, "y": box["height"] - 12})
    assert page.locator(".heat-area .tip").inner_text().startswith("0.")
    settle(page, {"view": "text"})
    page.locator(".flow .tokens span").nth(3).click()
    assert state(page)["q"] == 3


def test_keys_move_query_key_head_and_layer(opened: Open, html: str) -> None:
    page = opened(html)
    before = state(page)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "PageDown", "]", "2"):
        page.keyboard.press(key)
    now = state(page)
    assert now["q"] == before["q"] + 1 and now["k"] == 0
    assert (now["head"], now["layer"], now["view"]) == ("1", "1", "matrix")
    for _ in range(3):
        page.keyboard.press("PageUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    assert (state(page)["layer"], state(page)["head"], state(page)["k"]) == ("0", "0", -1)


def test_a_reader_who_does_not_see_hears_the_row(opened: Open, html: str) -> None:
    page = opened(html)
    settle(page, {"layer": "0", "head": "0", "q": 2})
    said = page.locator("[aria-live]").inner_text()
    assert "Layer 0" in said and "cat" in said
    assert page.locator(".panel table caption").count() == 1
    first = page.locator(".panel tbody tr").first
    assert float(first.locator("td").nth(1).inner_text()) == pytest.approx(
        max(page.evaluate("document.getElementById('regard').regard.row()")), abs=1e-4
    )
    for button in page.locator("button").all():
        assert button.inner_text().strip() or button.get_attribute("aria-label")


def test_the_other_language_is_one_click_away(opened: Open, html: str) -> None:
    page = opened(html)
    english = page.locator(".regard").inner_text()
    page.locator("[data-name=language]").click()
    page.wait_for_selector("text=热图")
    chinese = page.locator(".regard").inner_text()
    assert "Heat map" in english and "Heat map" not in chinese
    page.locator("[data-name=language]").click()
    page.wait_for_selector("text=Heat map")


def test_a_link_leads_back_to_what_was_seen(opened: Open, html: str) -> None:
    page = opened(html, "#layer=1&head=3&q=7&k=2&view=matrix&scale=log")
    now = state(page)
    assert (now["layer"], now["head"], now["q"], now["k"]) == ("1", "3", 7, 2)
    assert (now["view"], now["scale"]) == ("matrix", "log")
    settle(page, {"q": 5})
    until(lambda: "q=5" in page.evaluate("location.hash"))
    link = page.evaluate("location.hash")
    assert "layer=1" in link
    assert state(opened(html, link))["q"] == 5


@pytest.mark.parametrize("link", ["#layer=99&head=99&q=999999999", "#layer=<b>&q=-1&view=x", "#%"])
def test_a_link_to_nothing_leads_to_what_is_near(opened: Open, html: str, link: str) -> None:
    now = state(opened(html, link))
    assert now["layer"] in ("0", "1") and 0 <= now["q"] < len(TOKENS)


def saved(page: Any, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.locator(f"[data-name={kind}]").click()
    with open(download.value.path(), "rb") as file:
        return download.value.suggested_filename, file.read()


def test_what_is_on_screen_can_be_saved(opened: Open, html: str) -> None:
    page = opened(html, "#layer=1&head=2&view=matrix")
    name, png = saved(page, "png")
    assert name == "attention-layer-1-head-2.png" and png.startswith(b"\x89PNG") and len(png) > 5000
    _, svg = saved(page, "svg")
    shapes = ElementTree.fromstring(svg)
    assert len(shapes.findall("{*}rect")) == len(TOKENS) ** 2 + 1
    settle(page, {"view": "lines"})
    lines = ElementTree.fromstring(saved(page, "svg")[1])
    assert len(lines.findall("{*}path")) > 10 and len(lines.findall("{*}text")) == 2 * len(TOKENS)
    rows = list(csv.reader(io.StringIO(saved(page, "csv")[1].decode("utf-8-sig"))))
    assert rows[0][1:] == TOKENS and [row[0] for row in rows[1:]] == TOKENS
    known = page.evaluate("document.getElementById('regard').regard.row()")
    read = [float(cell) for cell in rows[1 + state(page)["q"]][1:]]
    assert read == pytest.approx(known, rel=1e-3, abs=1e-6)


def test_whole_words_are_sums_over_keys_and_means_over_queries(opened: Open, html: str) -> None:
    page = opened(html, "#layer=0&head=1")
    one, two, three = (
        page.evaluate(
            """(q) => {
              const { regard } = document.getElementById("regard");
              return Array.from(regard.model.field({ ...regard.state, merge: "tokens" }).row(q));
            }""",
            q,
        )
        for q in (10, 11, 12)
    )
    page.locator("[data-name=merge]").select_option("words")
    settle(page, {"q": 10})
    row = page.evaluate("document.getElementById('regard').regard.row()")
    assert len(row) == len(TOKENS) - 2
    mean = [(a + b + c) / 3 for a, b, c in zip(one, two, three, strict=True)]
    assert row[10] == pytest.approx(sum(mean[10:13]), rel=1e-5)
    assert row[0] == pytest.approx(mean[0], rel=1e-5)
    assert page.locator(".scrub output b").inner_text() == "unlikely"
    page.locator("[data-name=merge]").select_option("sentences")
    page.wait_for_selector(".scrub output b:has-text('the cat sat')")
    row = page.evaluate("document.getElementById('regard').regard.row()")
    assert len(row) == 4 and sum(row) == pytest.approx(1, abs=5e-3)


def test_heads_are_found_by_tag_and_by_who_looks_at_whom(opened: Open, html: str) -> None:
    page = opened(html)
    search = page.locator("input[type=search]")
    search.fill("induction")
    search.press("Enter")
    until(lambda: (state(page)["layer"], state(page)["head"]) == ("1", "2"))
    search.fill("sat -> cat")
    search.press("Enter")
    until(lambda: (state(page)["q"], state(page)["k"]) == (3, 2))
    row = page.evaluate("document.getElementById('regard').regard.row()")
    assert row[2] > 0.1
    search.fill("dog -> cat")
    search.press("Enter")
    page.wait_for_selector("text=no such token")


def test_a_film_goes_through_its_epochs(opened: Open) -> None:
    from regard.view.attention_page import attention_page

    documents = [
        View(encoder(TOKENS, layers=1, heads=3), TOKENS, about=About(epoch=n)).document()
        for n in range(4)
    ]
    page = opened(attention_page(documents, kind="film"))
    assert state(page)["doc"] == 3
    slider = page.locator("[data-name=film]")
    slider.fill("1")
    page.wait_for_selector("text=epoch 1")
    assert state(page)["doc"] == 1


def test_encoder_decoder_and_what_is_between_them_are_one_click_apart(opened: Open) -> None:
    outputs = ["<s>", "die", "Katze", "saß"]
    q, _, _ = heads_of(outputs, 2)
    _, k, v = heads_of(TOKENS, 2, 1)
    maps = [
        *encoder(TOKENS, heads=2),
        Recorded(*heads_of(outputs, 2), name="decoder.layers.0.self_attention"),
        Recorded(q, k, v, name="decoder.layers.0.cross_attention", kind="cross"),
    ]
    page = opened(View(maps, TOKENS, outputs).html())
    names = page.locator(".choose .switch button").all_inner_texts()
    assert names == ["Encoder", "Decoder", "Cross"]
    page.locator(".choose .switch button").nth(2).click()
    until(lambda: state(page)["layer"] == "3")
    assert len(page.evaluate("document.getElementById('regard').regard.row()")) == len(TOKENS)


def test_a_patch_is_looked_from_by_a_click(opened: Open) -> None:
    from regard.view.patches import Patches
    from tests.pictures import drawn, encoded

    tokens = ["[CLS]", *(f"patch {n}" for n in range(16))]
    picture = Patches(encoded(drawn((200, 120, 40), (64, 64))))
    page = opened(View(encoder(tokens, heads=2), tokens, image=picture).html())
    assert state(page)["view"] == "picture"
    canvas = page.locator("canvas.picture")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.1})
    assert state(page)["q"] == 3
    assert colors_in(page, "canvas.picture") > 10


def test_dark_and_light_are_different_and_both_readable(opened: Open, html: str) -> None:
    papers = []
    for scheme in ("light", "dark"):
        page = opened(html, color_scheme=scheme)
        papers.append(
            page.locator(".regard").evaluate("(root) => getComputedStyle(root).backgroundColor")
        )
    page.locator("[data-name=theme]").click()
    assert page.locator(".regard").get_attribute("data-theme") == "light"
    assert papers[0] != papers[1]


@pytest.mark.parametrize("view", ["lines", "matrix", "text", "compare"])
def test_a_phone_shows_it_without_scrolling_sideways(opened: Open, html: str, view: str) -> None:
    page = opened(html, f"#view={view}", width=390, height=844, has_touch=True, is_mobile=True)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    assert not page.locator(".panel-box").is_visible()
    page.locator(".panel [data-name=steps]").click()
    assert page.locator(".panel-box").is_visible()


def test_attention_written_by_hand_shows_its_arithmetic_or_what_is_unknown(opened: Open) -> None:
    drawn = torch.randn(3, 1, 2, len(TOKENS), 4, generator=torch.Generator().manual_seed(0))
    q, k, v = drawn.unbind()
    later = ~torch.ones(len(TOKENS), len(TOKENS)).tril().bool()
    with regard.capture() as maps:
        (q @ k.mT / 2).masked_fill(later, -1e9).softmax(-1) @ v
        torch.tanh(q @ k.mT).softmax(-1) @ v
    page = opened(maps.view(TOKENS).html(), "#layer=0&head=1&q=3&k=1")
    page.locator('.panel [data-name="steps"]').click()
    steps = page.locator(".steps")
    steps.locator(".step").first.wait_for()
    assert steps.locator(".step").count() == 5
    weight = maps[0].weights()[0, 1, 3, 1].item()
    assert f"{weight:.4f}" in steps.locator(".lead").text_content()
    settle(page, {"layer": "1"})
    assert "one step of it could not be followed: a function other than" in steps.text_content()
