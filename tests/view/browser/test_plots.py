"""Curves and confusions in a run's report show what they were given, and can be read by keys."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from math import isfinite
from typing import Any

import pytest

from regard.view.attention_page import built
from regard.view.counted import Confusion
from regard.view.curves import Curve
from regard.view.page import page as page_of
from regard.view.plots import chart_of, charts, confusion
from regard.view.report import RunLog, report
from tests.view.browser.conftest import Open
from tests.view.browser.test_page import saved

Points = list[tuple[float, float | None]]
HOSTILE = [
    '</script><img src=x onerror="window.hacked=1">',
    '"\u2028\u202e',
    "نعم",
    "👩\u200d👧 e\u0301",
]

PATHS = """all => all.map((chart) => Array.from(chart.querySelectorAll("path.line"), (line) =>
  Array.from(line.getAttribute("d").matchAll(/[ML]([^ ML]+) ([^ML]+)/g),
    ([, x, y]) => [Number(x), Number(y)])))"""
TICKS = """(chart, kind) =>
  Array.from(chart.querySelectorAll(`.tick.${kind}`), (text) => text.textContent)"""


def of(*bodies: str) -> str:
    return page_of("plots", "".join(bodies), built("attention.js"))


def drawing(*sets: Points, metric: str = "bleu", marked: bool = False) -> str:
    """A page with a chart for each set of points."""
    return of(charts([chart_of(metric, [Curve("valid", each, marked=marked)]) for each in sets]))


def marks(page: Any, kind: str, number: int = 0) -> list[str]:
    found: list[str] = page.locator(".chart").nth(number).evaluate(TICKS, kind)
    return found


ODD: list[Points] = [
    [(5.0, 2.0)],
    [(0.0, 0.0)],
    [(0.0, 3.0), (1.0, 3.0), (2.0, 3.0)],
    [(0.0, -1e-9), (1.0, 1e9)],
    [(1.0, 1e-12), (2.0, 1e12)],
    [(7.0, 1.0), (7.0, 2.0)],
    [(0.0, 1e16), (1.0, 1e16 + 2)],
    [(0.0, -4.0), (1e12, None), (2e12, -8.0)],
    [(0.0, 1e-300), (1.0, 0.0)],
    [(0.0, -1e299), (1.0, 1e299)],
    [(0.0, 0.69312), (1.0, 0.69314)],
]


@pytest.mark.parametrize("metric", ["bleu", "loss", "accuracy"])
@pytest.mark.parametrize("width", [1200, 390])
def test_every_point_lies_inside_and_marks_can_be_told_apart(
    opened: Open, metric: str, width: int
) -> None:
    page = opened(drawing(*ODD, metric=metric), width=width)
    drawn = page.locator(".chart").evaluate_all(PATHS)
    assert len(drawn) == len(ODD)
    wide = page.locator(".plot svg").first.bounding_box()["width"]
    for number, ((found,), points) in enumerate(zip(drawn, ODD, strict=True)):
        assert len(found) == sum(y is not None for _, y in points)
        for x, y in found:
            assert isfinite(x) and isfinite(y) and 40 <= x <= wide and 9.9 <= y <= 250
        for kind in ("up", "across"):
            names = marks(page, kind, number)
            assert names and len(set(names)) == len(names)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_one_point_stands_in_the_middle_over_its_step_alone(opened: Open) -> None:
    page = opened(drawing([(383.0, 0.75)], metric="accuracy", marked=True))
    line = page.locator("path.grid").first.get_attribute("d")
    left, right = float(line[1:].split(" ")[0]), float(line.split("H")[1])
    spot = float(page.locator("circle.dot").get_attribute("cx"))
    assert spot == pytest.approx((left + right) / 2, abs=0.2)
    assert marks(page, "across") == ["383"]
    assert marks(page, "up") == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert page.locator(".legend").text_content() == "valid 75.0 %"


def test_few_steps_are_whole_and_a_share_never_stands_beside_more_than_all(opened: Open) -> None:
    page = opened(drawing([(1.0, 0.2), (2.0, 0.5), (3.0, 1.0)], metric="accuracy"))
    assert marks(page, "across") == ["1", "2", "3"]
    assert marks(page, "up")[-1] == "100 %"


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis(opened: Open) -> None:
    page = opened(drawing([(0.0, 1.0), (1.0, 10.0), (2.0, 100.0)], metric="loss"))
    ((found,),) = page.locator(".chart").evaluate_all(PATHS)
    assert found[0][1] - found[1][1] == pytest.approx(found[1][1] - found[2][1], abs=0.11)
    assert "log scale" in page.locator("figcaption").text_content()


def test_a_value_that_is_none_leaves_a_gap_and_one_between_two_is_a_dot(opened: Open) -> None:
    page = opened(drawing([(0.0, None), (1.0, 2.0), (2.0, None), (3.0, 1.0), (4.0, 1.0)]))
    path = page.locator("path.line").get_attribute("d")
    assert [letter for letter in path if letter in "ML"] == ["M", "M", "L"]
    assert page.locator("circle.dot").count() == 1


def test_curves_differ_in_their_dashes_and_not_in_color_alone(opened: Open) -> None:
    curves = [Curve(f"run {n}", [(0.0, float(n)), (1.0, 1.0)], n) for n in range(8)]
    page = opened(of(charts([chart_of("bleu", curves, split="valid")])))
    lines = page.locator("path.line")
    styles = lines.evaluate_all("all => all.map((l) => l.getAttribute('stroke-dasharray'))")
    strokes = lines.evaluate_all("all => all.map((l) => l.getAttribute('stroke'))")
    assert len(set(styles)) == 8 and len(set(strokes)) == 8 and all(strokes)
    assert page.locator("figcaption b").text_content() == "BLEU · valid"


def test_keys_and_the_pointer_read_the_values_of_each_step(opened: Open) -> None:
    curves = [
        Curve("train", [(float(n), 10.0 - n) for n in range(1, 9)]),
        Curve("valid", [(4.0, 7.5), (8.0, 6.5)], 1, marked=True),
    ]
    page = opened(of(charts([chart_of("loss", curves, task="translate")])))
    chart = page.locator(".chart")
    label = chart.get_attribute("aria-label")
    assert label.startswith("Loss, nats per token. Last values: train 2, valid 6.5.")
    chart.focus()
    page.keyboard.press("Home")
    legend = page.locator(".legend")
    assert legend.text_content() == "train 9valid 7.5 (step 4)"
    assert page.locator("figcaption .at").text_content() == "step 1"
    assert page.locator(".chart [aria-live]").text_content().startswith("step 1: train 9")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert legend.text_content() == "train 6valid 7.5"
    page.keyboard.press("Escape")
    assert legend.text_content() == "train 2valid 6.5"
    box = page.locator(".plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 100)
    assert page.locator("figcaption .at").text_content() == "step 8"
    assert page.locator(".cursor circle").count() == 2


def test_a_chart_is_saved_as_a_drawing_a_picture_and_a_table(opened: Open) -> None:
    curves = [Curve("a<b", [(1.0, 2.0), (2.0, None), (3.0, 0.5)]), Curve("=1+1", [(3.0, 4.0)], 1)]
    page = opened(of(charts([chart_of("bleu", curves, split="test")])))
    whole = ElementTree.fromstring(saved(page, "svg")[1])
    texts = [each.text for each in whole.iter("{http://www.w3.org/2000/svg}text")]
    assert "BLEU · test" in texts and "a<b  0.5" in texts
    assert saved(page, "png")[1][:8] == b"\x89PNG\r\n\x1a\n"
    rows = list(csv.reader(io.StringIO(saved(page, "csv")[1].decode("utf-8-sig"))))
    assert rows == [["step", "a<b", "'=1+1"], ["1", "2", ""], ["3", "0.5", "4"]]


LABELS = ("cat", "dog", "ant")
COUNTS = ((3, 1, 0), (0, 4, 0), (1, 1, 2))


def rows_of(page: Any, number: int = 0) -> list[list[str]]:
    found: list[list[str]] = (
        page.locator("table")
        .nth(number)
        .evaluate(
            "(t) => Array.from(t.rows, (row) => Array.from(row.cells, (cell) => cell.textContent))"
        )
    )
    return found


def test_rows_are_labels_columns_answers_shades_shares_of_the_row(opened: Open) -> None:
    page = opened(of(confusion(Confusion(1200, LABELS, COUNTS))))
    assert rows_of(page) == [
        ["", "cat", "dog", "ant"], ["cat", "3", "1", ""], ["dog", "", "4", ""],
        ["ant", "1", "1", "2"],
    ]  # fmt: skip
    cells = page.locator(".confusion tbody td")
    shades = cells.evaluate_all("all => all.map((td) => +td.style.getPropertyValue('--w'))")
    assert shades == [0.75, 0.25, 0, 0, 1, 0, 0.25, 0.25, 0.5]
    right = cells.evaluate_all("all => all.map((td) => td.classList.contains('same'))")
    assert [n for n, framed in enumerate(right) if framed] == [0, 4, 8]
    assert "At step 1,200. Rows are labels" in page.locator(".note").first.text_content()
    assert rows_of(page, 1)[1:] == [
        ["cat", "4", "75.0 %", "75.0 %", "75.0 %"],
        ["dog", "4", "100.0 %", "66.7 %", "80.0 %"],
        ["ant", "4", "50.0 %", "100.0 %", "66.7 %"],
    ]


def test_arrows_go_through_the_cells_and_each_is_said(opened: Open) -> None:
    page = opened(of(confusion(Confusion(1, LABELS, COUNTS))))
    page.locator('[data-at="0 0"]').focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".said").text_content() == "“cat” answered “dog”: 1 of 4, 25.0 %"
    page.keyboard.press("ArrowDown")
    assert "“dog” answered “dog”: 4 of 4, 100.0 %" in page.locator(".said").text_content()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator('td[tabindex="0"]').get_attribute("data-at") == "0 1"


def test_of_very_many_labels_the_commonest_confusions_are_shown_and_all_are_folded(
    opened: Open,
) -> None:
    count = 300
    counts = [[0] * count for _ in range(count)]
    for n in range(count):
        counts[n][n], counts[n][(n + 1) % count] = 1, n
    names = tuple(f"intent {n}" for n in range(count))
    html = of(confusion(Confusion(1, names, tuple(map(tuple, counts)))))
    assert len(html) < 40_000 + len(built("attention.js"))
    page = opened(html)
    first = rows_of(page)
    assert len(first) == 21 and first[1] == ["intent 299", "intent 0", "299", "99.7 %"]
    assert "299 different confusions" in page.locator("caption").text_content()
    assert page.locator("summary").text_content() == "each of 300 labels, worst first"
    assert len(rows_of(page, 1)) == count + 1 and page.locator("details table").count() == 1
    assert not page.locator("details table").is_visible()


def test_columns_of_long_labels_have_numbers_that_rows_explain(opened: Open) -> None:
    long = "a long label " * 15
    page = opened(of(confusion(Confusion(1, (long, "b"), ((1, 0), (0, 1))))))
    rows = rows_of(page)
    assert rows[0] == ["", "1", "2"] and rows[1][0] == f"1 · {long}" and rows[2][0] == "2 · b"


@pytest.mark.parametrize("count", [4, 25])
def test_names_are_text_that_runs_its_own_way(opened: Open, count: int) -> None:
    labels = tuple((HOSTILE * count)[:count])
    chart = charts([chart_of("bleu", [Curve(HOSTILE[0], [(0.0, 1.0)])], split=HOSTILE[1])])
    counts = tuple((1,) * count for _ in labels)
    page = opened(of(confusion(Confusion(1, labels, counts)), chart))
    assert not page.evaluate("window.hacked") and page.locator("img").count() == 0
    said = page.locator(".confused").text_content()
    assert "U+2028U+202E" in said and "\u202e" not in said and "👩\u200d👧 e\u0301" in said
    ways = page.locator(".confused tbody th span").evaluate_all("all => all.map((s) => s.dir)")
    assert set(ways) == {"auto"}
    assert page.locator("figcaption b").text_content() == 'BLEU · "U+2028U+202E'


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_without_attention_speaks_chinese_on_a_phone_too(
    opened: Open, scheme: str
) -> None:
    records = tuple(
        {"kind": kind, "step": n, "loss": 1 / n} for n in range(1, 5) for kind in ("train", "valid")
    )
    found = {"valid": Confusion(4, LABELS, COUNTS)}
    run = RunLog("r", records, config='task = "classify"\n', confusion=found)
    page = opened(report(run), width=390, height=800, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ink = page.locator(".tick").first.evaluate("(t) => getComputedStyle(t).fontSize")
    assert ink == "12px"
    assert page.locator("[data-name=language]").count() == 1
    page.locator("[data-name=language]").click()
    assert page.locator("figcaption b").text_content() == "损失, 每标签奈特"
    assert page.locator(".legend").text_content() == "训练 0.25验证 0.25"
    assert "第 4 步" in page.locator(".note").first.text_content()
    assert page.locator(".regard").first.get_attribute("data-theme") == scheme
