"""The film in a run's report: each example, each look, as the run wrote them down."""

from dataclasses import replace
from typing import Any

import pytest

from regard.view.comparison import comparison
from regard.view.report import RunLog, report
from tests.view.browser.conftest import Open, colors_in, state, weights_of

HOSTILE = ["</script>", "<img src=x onerror=alert(1)>", "\u202eabc"]


def a_run(samples: list[list[dict[str, Any]]], task: str = "translate") -> RunLog:
    looks = [
        {"step": 10 * (n + 1), "epoch": n + 0.5, "samples": each} for n, each in enumerate(samples)
    ]
    return RunLog("de-en", samples=tuple(looks), config=f'task = "{task}"\nmodel = "lstm"\n')


def sample(shift: float, inputs: list[str], outputs: list[str], **more: Any) -> dict[str, Any]:
    rows = [
        [round((shift + 0.1 * r + 0.07 * c) % 1, 3) for c in range(len(inputs))]
        for r in range(len(outputs))
    ]
    about = {"input": " ".join(inputs), "answer": " ".join(outputs), "wanted": None}
    return {**about, "inputs": inputs, "outputs": outputs, "weights": rows, **more}


TWO = [
    [
        sample(0.1 * n, ["ein", "guter", "Film"], ["a", f"film{n}"], wanted="a good film"),
        sample(0.2 * n, HOSTILE, ["x", "y"]),
    ]
    for n in range(4)
]
SLIDER = ".film input[type=range]"


def test_the_slider_goes_through_the_looks_of_one_example(opened: Open) -> None:
    page = opened(report(a_run(TWO)))
    assert state(page)["doc"] == 3 and state(page)["view"] == "matrix"
    assert colors_in(page, ".view canvas") > 4
    head = page.locator(".top").text_content()
    assert "ein guter Film" in head and "a film3" in head and "wanted a good film" in head
    assert "3.5" in page.locator("output[name=film]").text_content()
    assert "step 40" in page.locator("output[name=film]").text_content()
    page.locator(SLIDER).fill("0")
    page.wait_for_function("() => document.getElementById('regard').regard.state.doc === 0")
    assert page.locator(".top").text_content().count("a film0") == 1
    assert "step 10" in page.locator("output[name=film]").text_content()
    assert page.locator(SLIDER).get_attribute("max") == "3"


def test_every_look_has_the_weights_that_were_written_down(opened: Open) -> None:
    page = opened(report(a_run(TWO)))
    for number in range(8):
        known = TWO[number % 4][number // 4]["weights"]
        found = page.evaluate(
            """async (number) => {
              const { docs } = document.getElementById("regard").regard.model;
              const field = docs[number].field("0", "0", 0);
              await field.load();
              return [0, 1].map((row) => Array.from(field.row(row)));
            }""",
            number,
        )
        for one, other in zip(found, known, strict=True):
            assert one == pytest.approx(other, abs=0.004)
    assert len(weights_of(page, 0, 0, [0])[0]) == 3


def test_another_example_is_chosen_with_its_last_look(opened: Open) -> None:
    page = opened(report(a_run(TWO)))
    page.locator("[data-name=example]").select_option(index=1)
    page.wait_for_function("() => document.getElementById('regard').regard.state.doc === 7")
    page.locator(SLIDER).fill("1")
    page.wait_for_function("() => document.getElementById('regard').regard.state.doc === 5")
    page.locator(".film .play").click()
    page.wait_for_function("() => document.getElementById('regard').regard.state.doc === 7")
    assert page.locator(".top h1").text_content().startswith("</script>")
    assert page.locator("img").count() == 0


def test_one_weight_to_each_token_shades_the_text(opened: Open) -> None:
    looks = [[sample(0.3, ["good", "film"], ["pos"])], [sample(0.5, ["good", "film"], ["pos"])]]
    page = opened(report(a_run(looks, "classify")))
    assert state(page)["view"] == "text"
    shades = page.locator(".flow [data-n]").evaluate_all(
        """all => all.map((one) => {
          const [, strength] = /, ([0-9.]+)\\)/.exec(getComputedStyle(one).backgroundColor) ?? [];
          return [one.textContent, Number(strength ?? 0)];
        })"""
    )
    assert [text for text, strength in shades if strength] == ["good", "film"]
    assert shades[-1][1] > shades[-2][1] > 0


def test_a_text_is_shown_as_it_was_written_with_what_was_not_read(opened: Open) -> None:
    tokens, text = ["a", "<unk>", "film"], "A   dull\u202e\nfilm! And more"
    looks = [[sample(0.3, tokens, ["neg"], input=text)]]
    page = opened(report(a_run(looks, "classify")))
    line = page.locator(".flow .tokens.running")
    assert line.evaluate("(p) => p.textContent") == "A   dullU+202E\nfilm! And more (not read)"
    spans = line.locator("[data-n]").all_text_contents()
    assert spans == ["A", "dullU+202E", "film"]
    assert line.locator(".unread").text_content() == "! And more"
    assert line.evaluate("(p) => getComputedStyle(p).whiteSpaceCollapse") == "preserve"
    page.locator("[data-name=language]").click()
    page.locator(".flow small", has_text="（未读）").wait_for()


def test_a_phone_has_the_whole_of_it_and_the_dark_too(opened: Open) -> None:
    page = opened(report(a_run(TWO)), width=390, height=800, color_scheme="dark")
    assert page.locator(".regard").get_attribute("data-theme") == "dark"
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    assert page.locator(".view canvas").first.bounding_box()["width"] > 100


def test_two_runs_stand_side_by_side_with_their_difference(opened: Open) -> None:
    one, other = (a_run([[sample(shift, ["a", "b"], ["c", "d"])]]) for shift in (0.1, 0.4))
    page = opened(comparison([one, replace(other, title="other")]))
    assert state(page)["view"] == "compare"
    figures = page.locator(".compare figure")
    assert figures.count() == 3
    names = page.locator(".switch button").all_text_contents()
    assert names == ["de-en", "other"]
    found = page.evaluate(
        """async () => {
          const { regard } = document.getElementById("regard");
          const field = regard.model.difference(regard.state);
          await field.load();
          return Array.from(field.row(0));
        }"""
    )
    assert found == pytest.approx([-0.3, -0.3], abs=0.008)
