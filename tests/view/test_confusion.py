"""A confusion matrix has the numbers it was given, percentages of the right wholes, all escaped."""

import pytest

from regard.view.confusion import MOST_LABELS, MOST_PAIRS, confusion, matrix
from tests.view.parsed import parsed

LABELS = ["cat", "dog", "ant"]
COUNTS = [[3, 1, 0], [0, 4, 0], [1, 1, 2]]


def cells(html: str) -> list[list[str]]:
    rows = parsed(html).all("table")[0].all("tr")
    return [[c.text for c in row.children if not isinstance(c, str)] for row in rows]


def test_rows_are_labels_and_columns_answers() -> None:
    assert cells(confusion(LABELS, COUNTS)) == [
        ["", "cat", "dog", "ant"], ["cat", "3", "1", ""], ["dog", "", "4", ""],
        ["ant", "1", "1", "2"],
    ]  # fmt: skip


def test_shades_are_shares_of_the_row_and_what_is_right_is_framed() -> None:
    drawn = parsed(matrix(LABELS, COUNTS)).all("td")[1:]
    shares = [cell.attributes.get("style", "--w:0").removeprefix("--w:") for cell in drawn]
    assert list(map(float, shares)) == [0.75, 0.25, 0, 0, 1, 0, 0.25, 0.25, 0.5]
    assert [n for n, cell in enumerate(drawn) if "same" in cell.kinds] == [0, 4, 8]


def test_each_label_has_recall_precision_and_f1_in_percent() -> None:
    _, scores = parsed(confusion(LABELS, COUNTS)).all("table")
    rows = [[c.text for c in row.children if not isinstance(c, str)] for row in scores.all("tr")]
    assert rows[1:] == [
        ["cat", "4", "75.0 %", "75.0 %", "75.0 %"],
        ["dog", "4", "100.0 %", "66.7 %", "80.0 %"],
        ["ant", "4", "50.0 %", "100.0 %", "66.7 %"],
    ]


def test_of_very_many_labels_the_commonest_confusions_are_shown_and_all_are_folded() -> None:
    count = 300
    counts = [[0] * count for _ in range(count)]
    for n in range(count):
        counts[n][n], counts[n][(n + 1) % count] = 1, n
    html = confusion([f"intent {n}" for n in range(count)], counts)
    page = parsed(html)
    first, second = page.all("table")
    rows = [[c.text for c in row.children if not isinstance(c, str)] for row in first.all("tr")]
    assert len(rows) == MOST_PAIRS + 1 and rows[1] == ["intent 299", "intent 0", "299", "99.7 %"]
    assert "299 different confusions" in first.text
    assert len(second.all("tr")) == count + 1 and second in page.all("details")[0].all("table")
    assert len(html) < 200_000


def test_columns_of_long_labels_have_numbers_that_rows_explain() -> None:
    long = "a long label " * 15
    rows = cells(matrix([long, "b"], [[1, 0], [0, 1]]))
    assert rows[0] == ["", "1", "2"] and rows[1][0] == f"1 · {long}" and rows[2][0] == "2 · b"


@pytest.mark.parametrize("count", [2, MOST_LABELS + 1])
def test_labels_are_text_that_runs_its_own_way(count: int) -> None:
    hostile = ["</script><b>", '"\u2028\u202e', "نعم", "👩\u200d👧 e\u0301"]
    labels = (hostile * count)[:count]
    html = confusion(labels, [[1] * count for _ in labels])
    assert "<b>" not in html and "\u2028" not in html and "\u202e" not in html
    page = parsed(html)
    assert all(span.attributes.get("dir") == "auto" for span in page.all("th")[-1].all("span"))
    if count > 4:
        assert "👩\u200d👧 e\u0301" in html and "نعم" in html


def test_nothing_answered_is_nothing_drawn() -> None:
    assert confusion([], []) == "" and confusion(["a"], [[0]]) == ""
