"""Interaction files are read by their headers, and errors name the place."""

from pathlib import Path

import pytest

from regard.data.interactions import (
    rating_of,
    recbole,
    recbole_header,
    roles,
    seconds_of,
)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("user", "item"), {"user": "user", "item": "item"}),
        (("userId", "movieId", "rating", "timestamp"),
         {"user": "userId", "item": "movieId", "rating": "rating", "timestamp": "timestamp"}),
        (("time", "ITEM_ID", "user_id"),
         {"user": "user_id", "item": "ITEM_ID", "timestamp": "time"}),
    ],
)  # fmt: skip
def test_common_headers_are_known(names: tuple[str, ...], wanted: dict[str, str]) -> None:
    assert roles(names, "x") == wanted


def test_a_file_without_items_is_refused_with_its_columns() -> None:
    with pytest.raises(ValueError, match="a.csv has columns user, price and none for the item"):
        roles(("user", "price"), "a.csv")


def test_two_columns_for_one_role_are_refused() -> None:
    with pytest.raises(ValueError, match="user and user_id could both be the user"):
        roles(("user", "user_id", "item"), "a.csv")


def test_a_recbole_file_is_read_by_its_typed_header(tmp_path: Path) -> None:
    path = tmp_path / "ml.inter"
    path.write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "196\t242\t3\t881250949\n\n186\t302\t3.5\t891717742\n"
    )
    table = recbole(path)
    assert table.names == ("user_id", "item_id", "rating", "timestamp")
    assert list(table.rows(("item_id", "user_id"))) == [
        (f"{path} line 2", ("242", "196")),
        (f"{path} line 4", ("302", "186")),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1: .*does not name columns with their types"),
        ("user_id\titem_id\n1\t2\n", "line 1: .*does not name columns"),
        ("user_id:token\tuser_id:token\n", "line 1: two columns have one name"),
        (
            "user_id:token\titem_id:token\n1\t2\n1\n",
            "line 3: 1 columns, where .* has 2",
        ),
    ],
)
def test_another_file_is_refused_naming_the_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "x.inter"
    path.write_text(text)
    with pytest.raises(ValueError, match=why):
        list(recbole(path).rows(("user_id",)))


def test_a_header_needs_a_name_and_a_type_in_every_cell() -> None:
    assert recbole_header(["a:token", "b:floating"]) is None
    assert recbole_header([":token"]) is None
    assert recbole_header(["a:b:token_seq"]) == ("a:b",)


@pytest.mark.parametrize("text", ["good", "", "nan", "inf", "4,5"])
def test_ratings_that_are_not_numbers_are_refused_where_they_stand(text: str) -> None:
    with pytest.raises(ValueError, match="r.csv line 3: the rating '.*' is not a number"):
        rating_of(text, "r.csv line 3")


def test_times_are_seconds_or_dates() -> None:
    assert seconds_of("12.5", "x") == 12.5
    assert seconds_of("1970-01-01T01:00:00+01:00", "x") == 0.0
    assert seconds_of("1970-01-01 00:01:00", "x") == 60.0
    with pytest.raises(ValueError, match="r.csv line 3: the timestamp 'noon' is neither"):
        seconds_of("noon", "r.csv line 3")
    with pytest.raises(ValueError, match="the timestamp 'nan'"):
        seconds_of("nan", "x")
