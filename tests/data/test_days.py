"""The hundred years, and the split that keeps evaluated days out of training."""

import datetime

import numpy as np
import pytest

from regard.data.synthetic.days import (
    FIRST_YEAR,
    NUM_DAYS,
    SPLITS,
    YEARS,
    day,
    day_split,
    days_of,
    number_of,
)


def test_two_digits_name_one_year_only() -> None:
    years = {day(number).year for number in range(NUM_DAYS)}
    assert len({year % 100 for year in years}) == len(years) == YEARS == 100


def test_two_digits_are_read_as_posix_reads_them() -> None:
    for year in range(FIRST_YEAR, FIRST_YEAR + YEARS):
        assert datetime.datetime.strptime(f"{year % 100:02}", "%y").year == year


def test_a_number_and_its_day_are_inverse() -> None:
    assert all(number_of(day(number)) == number for number in range(0, NUM_DAYS, 97))


@pytest.mark.parametrize("date", [datetime.date(1968, 12, 31), datetime.date(2069, 1, 1)])
def test_a_day_outside_the_window_is_refused_with_the_window(date: datetime.date) -> None:
    with pytest.raises(ValueError, match="1969-2068"):
        number_of(date)


@pytest.mark.parametrize("number", [-1, NUM_DAYS])
def test_a_number_outside_the_window_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=str(number)):
        day(number)


def test_every_day_is_in_exactly_one_split() -> None:
    together = np.concatenate([days_of(split) for split in SPLITS])
    assert sorted(together.tolist()) == list(range(NUM_DAYS))


def test_about_one_day_in_twenty_is_kept_for_each_examination() -> None:
    assert len(days_of("train")) / NUM_DAYS == pytest.approx(0.9, abs=0.01)
    assert len(days_of("test")) / NUM_DAYS == pytest.approx(0.05, abs=0.01)


def test_the_split_never_changes() -> None:
    # A changed hash would let a new version examine a model on days that it was trained on.
    days = [datetime.date(2026, 3, number) for number in range(1, 32)]
    kept = {date.day: day_split(date) for date in days if day_split(date) != "train"}
    assert kept == KEPT_IN_MARCH_2026


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"train.*valid.*test.*'tets'"):
        days_of("tets")


KEPT_IN_MARCH_2026 = {5: "valid", 15: "test", 26: "valid", 27: "test"}
