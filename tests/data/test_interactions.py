"""Ratings and times are numbers, or refused where they stand."""

import pytest

from regard.data.reading.interactions import rating_of, require_interaction, seconds_of


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
    with pytest.raises(ValueError, match=f"r.csv line 3: {why}"):
        require_interaction(row, True, "r.csv line 3")


def test_ratings_may_be_missing_and_times_do_not_matter_where_there_are_none() -> None:
    require_interaction(("ann", "tea", "", "1", "drinks"), True, "x")
    require_interaction(("u" * 10_000, "tea", "", "soon"), False, "x")
