"""A chart shows the points it was given: inside its frame, no peak lost, never by color alone."""

import re
from importlib.resources import files
from math import isfinite

import pytest

from regard.view.charts import HEIGHT, LEFT, TOP, WIDTH, chart
from regard.view.curves import MOST_POINTS, Curve, thinned
from regard.view.ticks import log_ticks, ticks

Points = list[tuple[float, float | None]]


def coordinates(svg: str) -> list[tuple[float, float]]:
    lines = re.findall(r'class="line[^"]*" d="([^"]+)"', svg.split("<ul")[0])
    return [
        (float(x), float(y)) for d in lines for x, y in re.findall(r"[ML]([^ML ]+) ([^ML]+)", d)
    ]


@pytest.mark.parametrize(
    "points",
    [
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
    ],
)
@pytest.mark.parametrize("log", [True, False])
def test_every_point_lies_inside_the_frame(points: Points, log: bool) -> None:
    drawn = chart("c", [Curve("a", points)], log)
    found = coordinates(drawn)
    assert len(found) == sum(y is not None for _, y in points)
    for x, y in found:
        assert isfinite(x) and isfinite(y)
        assert LEFT <= x <= WIDTH and TOP - 0.1 <= y <= HEIGHT
    assert "nan" not in drawn and "inf" not in drawn


def labels(svg: str, kind: str) -> list[str]:
    return re.findall(rf'class="tick {kind}"[^>]*>([^<]*)<', svg)


def test_one_point_stands_in_the_middle_over_its_step_alone() -> None:
    drawn = chart("c", [Curve("a", [(383.0, 0.75)], marked=True)], shares=True)
    (spot,) = coordinates(drawn)
    assert spot[0] == pytest.approx((LEFT + WIDTH - 14) / 2, abs=0.1)
    assert labels(drawn, "middle") == ["383"]
    assert labels(drawn, "end")[:-1] == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]


def test_few_steps_are_counted_in_whole_numbers() -> None:
    points: Points = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]
    assert labels(chart("c", [Curve("a", points)]), "middle") == ["1", "2", "3"]


@pytest.mark.parametrize(
    "values", [(0.69312, 0.69314), (1e-12, 2e-12), (1e9, 1e9 + 5e4), (0.0, 1.0), (1234.0, 1234.1)]
)
@pytest.mark.parametrize("shares", [True, False])
def test_marks_of_an_axis_can_be_told_apart(values: tuple[float, float], shares: bool) -> None:
    points: Points = list(enumerate(values))
    marks = labels(chart("c", [Curve("a", points)], shares=shares), "end")[:-1]
    assert len(marks) >= 2 and len(set(marks)) == len(marks)
    assert max(map(len, marks)) <= 10


def test_values_that_are_as_good_as_equal_are_a_level_line() -> None:
    found = coordinates(chart("c", [Curve("a", [(0.0, 1e16), (1.0, 1e16 + 2)])]))
    assert found[0][1] == found[1][1]


def test_a_share_is_never_drawn_beside_more_than_all() -> None:
    drawn = chart("c", [Curve("a", [(0.0, 0.2), (1.0, 1.0)])], shares=True)
    assert labels(drawn, "end")[-2] == "100 %"


def test_a_value_between_two_that_are_none_is_a_dot() -> None:
    drawn = chart("c", [Curve("a", [(0.0, None), (1.0, 2.0), (2.0, None), (3.0, 1.0), (4.0, 1.0)])])
    assert drawn.count("<circle") == 1


@pytest.mark.parametrize("points", [[], [(1.0, None)]])
def test_a_curve_without_a_point_is_not_drawn(points: Points) -> None:
    assert chart("c", [Curve("a", points)]) == ""
    assert "<b>1</b>" in chart("c", [Curve("empty", points), Curve("full", [(0.0, 1.0)])])


def test_higher_values_are_drawn_higher_and_later_steps_further_right() -> None:
    points: Points = [(float(n), float(n)) for n in range(1, 100)]
    for log in (True, False):
        found = coordinates(chart("c", [Curve("a", points)], log))
        assert all(a[0] < b[0] and a[1] > b[1] for a, b in zip(found, found[1:], strict=False))


def test_equal_ratios_are_equal_distances_on_a_logarithmic_axis() -> None:
    found = coordinates(chart("c", [Curve("a", [(0.0, 1.0), (1.0, 10.0), (2.0, 100.0)])], True))
    assert found[0][1] - found[1][1] == pytest.approx(found[1][1] - found[2][1], abs=0.11)


def test_a_value_that_is_none_leaves_a_gap() -> None:
    drawn = chart("c", [Curve("a", [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 1.0)])])
    path = re.search(r'class="line[^"]*" d="([^"]+)"', drawn)
    assert path is not None and re.sub(r"[^ML]", "", path[1]) == "MLM"


def test_thinning_keeps_the_extremes_and_the_order() -> None:
    points: Points = [(float(n), 0.0) for n in range(100_000)]
    points[77_777] = (77_777.0, 9.0)
    points[3] = (3.0, -9.0)
    points[5] = (5.0, None)
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS and kept == sorted(kept)
    assert points[77_777] in kept and points[3] in kept
    assert thinned(points[:10]) == points[:10]


def test_curves_differ_in_their_dashes_and_not_in_color_alone() -> None:
    style = files("regard.view").joinpath("chart.css").read_text("utf-8")
    dashes = re.findall(r"\.line\.s(\d) \{ stroke-dasharray: ([\d ]+)", style)
    assert sorted(number for number, _ in dashes) == list("1234567")
    assert len({pattern for _, pattern in dashes}) == 7
    drawn = chart("c", [Curve(name, [(0.0, 1.0)], n) for n, name in enumerate("ab")])
    assert "line s0" in drawn and "line s1" in drawn


def test_a_name_is_text_wherever_it_stands() -> None:
    drawn = chart("<i>", [Curve('"><script>', [(0.0, 1.0)])], across="<b>")
    assert "<script>" not in drawn and "<i>" not in drawn and '"">' not in drawn


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.7, 12.2), (1e-7, 3e-7), (5e8, 9e8)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 2 <= len(found) <= 7
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in found)
    assert all(float(f"{tick:.3g}") == tick for tick in found)


@pytest.mark.parametrize(("low", "high"), [(1.0, 8.0), (0.02, 900.0), (1e-12, 1e12), (3.0, 30.0)])
def test_logarithmic_ticks_are_few_and_inside(low: float, high: float) -> None:
    found = log_ticks(low, high)
    assert 2 <= len(found) <= 10 and found == sorted(set(found))
    assert low * 0.99 <= found[0] and found[-1] <= high * 1.01
