"""The fast dates are Babel's dates, and no text means two days."""

import sys
from collections.abc import Iterable

import babel.dates
import numpy as np
import pytest

from regard.data.synthetic.cldr_dates import FORMATS, CLDRDates, languages
from regard.data.synthetic.days import NUM_DAYS, day


@pytest.fixture(scope="module")
def everything() -> CLDRDates:
    return CLDRDates.compile(languages())


def formatted(tag: str, form: str, number: int) -> str:
    return f"<{tag}> {babel.dates.format_date(day(number), form, locale=tag)}"  # type: ignore[arg-type]


def test_there_are_three_hundred_languages_and_none_twice() -> None:
    tags = languages()
    assert len(set(tags)) == len(tags) >= 300
    assert list(tags) == sorted(tags) and not any("_" in tag for tag in tags)


def test_every_language_in_every_format_is_written_as_babel_writes_it(
    everything: CLDRDates,
) -> None:
    templates = np.tile(np.arange(len(everything.first)), 3)
    days = np.random.default_rng(0).integers(NUM_DAYS, size=len(templates))
    wanted = [
        formatted(everything.languages[t // len(FORMATS)], FORMATS[t % len(FORMATS)], int(n))
        for t, n in zip(templates, days, strict=True)
    ]
    assert everything.texts(templates, days) == wanted


@pytest.mark.parametrize("tag", ["fr", "th", "ckb", "zh"])
def test_every_day_of_two_years_is_written_as_babel_writes_it(tag: str) -> None:
    dates = CLDRDates.compile([tag])
    numbers = np.arange(20_000, 20_731)
    for template, form in enumerate(FORMATS):
        wanted = [formatted(tag, form, int(number)) for number in numbers]
        assert dates.texts(np.full_like(numbers, template), numbers) == wanted


def collisions(dates: CLDRDates) -> list[tuple[str, str]]:
    """Find days that some template of one language writes alike, by a random hash of the text."""
    rng = np.random.default_rng(0)
    letters = rng.integers(1, 2**63, len(dates.vocabulary), dtype=np.uint64)
    places = rng.integers(1, 2**62, 200, dtype=np.uint64) * 2 + 1
    found = []
    for first in range(0, len(dates.first), len(FORMATS)):
        days = np.tile(np.arange(NUM_DAYS), len(FORMATS))
        templates = np.repeat(np.arange(first, first + len(FORMATS)), NUM_DAYS)
        texts = dates.encode(templates, days)
        place = np.arange(len(texts.values)) - np.repeat(texts.offsets[:-1], texts.lengths)
        hashes = np.add.reduceat(letters[texts.values] * places[place], texts.offsets[:-1])
        order = np.lexsort([days, hashes])
        same = np.diff(hashes[order]) == 0
        both = np.flatnonzero(same & (np.diff(days[order]) != 0))[:1]
        for row in both:
            pair = order[row : row + 2]
            found.append(tuple(dates.texts(templates[pair], days[pair])))
    return found


def assert_unambiguous(tags: Iterable[str]) -> None:
    assert not collisions(CLDRDates.compile(list(tags)))


def test_no_text_means_two_days() -> None:
    # Two-digit years, day before month, month before day, year first, names that differ little.
    assert_unambiguous(["en", "de", "hu", "th", "teo", "mgh", "sv", "ckb"])


@pytest.mark.slow
def test_no_text_in_any_language_means_two_days() -> None:
    assert_unambiguous(languages())


def test_the_search_for_collisions_finds_one() -> None:
    dates = CLDRDates.compile(["en"])
    # Let the short format forget the month.
    month = int(np.flatnonzero(dates.kind[3] == 2)[0])
    dates.first[3, month] = dates.kind[3, month] = 0
    assert collisions(dates)


def test_a_tag_is_one_token_in_front() -> None:
    dates = CLDRDates.compile(["en", "yue"])
    texts = dates.encode(np.arange(8), np.zeros(8, dtype=np.int64))
    firsts = [dates.vocabulary.tokens[number] for number in texts.values[texts.offsets[:-1]]]
    assert firsts == ["<en>"] * 4 + ["<yue>"] * 4


def test_without_babel_the_line_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel", None)
    with pytest.raises(ImportError, match=r'pip install "regard\[demo\]"'):
        languages()
