"""Names, numbers and times are read as people spell them, or refused where they stand."""

import pytest

from regard.data.reading.row_check import RowCheck
from regard.data.reading.spelled import parse_number, parse_time
from regard.data.schema import ByHash, Column, ColumnKind, Schema
from regard.tasks.recommend.schema import SCHEMA as RECOMMEND


@pytest.mark.parametrize("text", ["good", "", "nan", "inf", "4,5"])
def test_what_is_no_number_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(ValueError, match="r.csv line 3: the rating '.*' is not a number"):
        parse_number(text, "rating", "r.csv line 3")


def test_times_are_seconds_or_dates() -> None:
    assert parse_time("12.5", "time", "x") == 12.5
    assert parse_time("1970-01-01T01:00:00+01:00", "time", "x") == 0.0
    assert parse_time("1970-01-01 00:01:00", "time", "x") == 60.0
    with pytest.raises(ValueError, match="r.csv line 3: the timestamp 'noon' is neither"):
        parse_time("noon", "timestamp", "r.csv line 3")
    with pytest.raises(ValueError, match="the timestamp 'nan'"):
        parse_time("nan", "timestamp", "x")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("", "tea", "1", "1"), "the user is empty"),
        (("ann", "\t ", "1", "1"), "the item is empty"),
        (("u" * 10_001, "tea", "1", "1"), "the name of the user has 10,001 characters, 10,000"),
        (("ann", "tea", "x", "1"), "the rating 'x'"),
        (("ann", "tea", "", "x"), "the timestamp 'x'"),
        (("ann", "tea", "", ""), "the timestamp ''"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_interaction_is_named_by_its_place(row: tuple[str, ...], why: str) -> None:
    check = RowCheck(RECOMMEND)
    assert check.usable(("ann", "tea", "", "1"), "r.csv line 2")
    with pytest.raises(ValueError, match=f"r.csv line 3: {why}"):
        check.usable(row, "r.csv line 3")


def test_ratings_may_be_missing_and_a_time_is_in_every_row_or_in_none() -> None:
    assert RowCheck(RECOMMEND).usable(("ann", "tea", "", "1", "drinks"), "x")
    untimed = RowCheck(RECOMMEND)
    assert untimed.usable(("u" * 10_000, "tea", "", " "), "x")
    assert untimed.usable(("ann", "tea", "", ""), "x")
    with pytest.raises(ValueError, match="x: timestamp is 'soon', and the first row has none"):
        untimed.usable(("ann", "tea", "", "soon"), "x")


def test_a_number_or_time_that_must_be_there_is_refused_when_it_is_not() -> None:
    columns = (Column("price", kind=ColumnKind.NUMBER), Column("day", kind=ColumnKind.TIME))
    check = RowCheck(Schema("sell", columns, ByHash()))
    assert check.usable(("1", "2026-03-03"), "x")
    with pytest.raises(ValueError, match="x: the price '' is not a number"):
        check.usable(("", "2026-03-03"), "x")
    with pytest.raises(ValueError, match="x: the day ''"):
        RowCheck(check.schema).usable(("1", ""), "x")


def test_rows_without_a_text_label_bytes_or_number_are_left_out() -> None:
    kinds = (ColumnKind.TEXT, ColumnKind.LABEL, ColumnKind.BYTES, ColumnKind.FLOAT)
    columns = tuple(Column(kind.value, kind=kind) for kind in kinds)
    check = RowCheck(Schema("any", columns))
    assert check.usable(("a", "b", b" ", 0.0), "x")
    nothing = ("\n", " ", b"", float("nan"))
    for place, cell in enumerate(nothing):
        row: list[str | bytes | float] = ["a", "b", b" ", 0.0]
        row[place] = cell
        assert not check.usable(tuple(row), "x")
