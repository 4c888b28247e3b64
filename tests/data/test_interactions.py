"""Ratings and times are numbers, or refused where they stand."""

import pytest

from regard.data.interactions import rating_of, seconds_of


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
