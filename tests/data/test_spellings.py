"""Spellings of one label are made one and said; labels that mean something else stay."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.data.reading.look_alikes import look_alikes
from regard.data.reading.spellings import SAID, merged_spellings

COUNTS = st.dictionaries(
    st.text(st.sampled_from("aAbB 10.-\u0301\uff11\u00e9ey"), max_size=4), st.integers(1, 9)
)


@pytest.mark.parametrize(
    ("counts", "read"),
    [
        ({"good": 3, " good": 1, "good\n": 1, "good\u200b": 1}, "good"),
        ({"New York": 2, "New  York": 1, "New\tYork": 1}, "New York"),
        ({"good": 2, "Good": 5, "GOOD": 1}, "Good"),
        ({"caf\u00e9": 1, "cafe\u0301": 4}, "caf\u00e9"),
        ({"1": 4, "\uff11": 1, "\uff21": 0}, "1"),
        ({"1": 4, "1.0": 2, "1.00": 1, "+1": 1}, "1"),
        ({"1": 1, "1.0": 2}, "1.0"),
        ({"0": 2, "-0": 1, "-0.0": 1}, "0"),
        ({"-1": 2, "-1.0": 1}, "-1"),
        ({"true": 2, "True": 3, "TRUE": 1}, "True"),
        ({"yes": 2, "Yes": 2}, "Yes"),
        ({"Y": 5, "y": 4}, "Y"),
    ],
)
def test_spellings_of_one_label_are_read_as_the_most_frequent(
    counts: dict[str, int], read: str
) -> None:
    found, said = merged_spellings({**counts, "other": 3})
    spelled = {label: found.get(label, label) for label in counts if label != "\uff21"}
    assert set(spelled.values()) == {read}
    assert len(said) == 1 and said[0].endswith(f'are read as one label, "{read}"')


@pytest.mark.parametrize(
    "labels",
    [
        ("1", "01"),
        ("1", "1.5"),
        ("1", "-1"),
        ("1", "1."),
        ("true", "1"),
        ("good", "bad"),
        ("goodday", "good day"),
        ("m2", "m\u00b2"),
        ("stra\u00dfe", "strasse"),
        ("resume", "r\u00e9sum\u00e9"),
    ],
)
def test_labels_that_may_mean_something_else_stay(labels: tuple[str, ...]) -> None:
    assert merged_spellings(dict.fromkeys(labels, 2)) == ({}, [])


def test_spaces_go_without_a_word_where_there_is_no_other_spelling() -> None:
    assert merged_spellings({" bad ": 3, "good": 2}) == ({" bad ": "bad"}, [])


def test_an_empty_label_is_none() -> None:
    assert merged_spellings({"": 3, "  ": 2, "\u200b": 1, "x": 1}) == ({}, [])


def test_single_letters_as_frequent_as_each_other_are_classes() -> None:
    letters = {"a": 40, "A": 25, "B": 9, "b": 11}
    found, said = merged_spellings({**letters, "?": 3})
    assert found == {}
    assert said == ['"A", "a", "B", "b" differ in case alone and stay labels of their own']


@pytest.mark.parametrize(
    "more",
    [{"good": 5, "Good": 2}, {"C": 90, "c": 2}],
    ids=["a word is in two cases", "a letter is rare in one"],
)
def test_case_means_nothing_where_any_label_shows_that(more: dict[str, int]) -> None:
    found, said = merged_spellings({"a": 40, "A": 25, **more})
    assert found["A"] == "a" and len(found) == 2 and len(said) == 2


def test_of_equally_frequent_spellings_the_shortest_counts_then_the_alphabet() -> None:
    assert merged_spellings({"2.0": 3, "2": 3})[0] == {"2.0": "2"}
    assert merged_spellings({"No": 3, "NO": 3, "no": 3})[0] == {"No": "NO", "no": "NO"}


def test_what_looks_the_same_is_said_so_that_it_can_be_told_apart() -> None:
    (said,) = merged_spellings({"\u00e9": 2, "e\u0301": 1})[1]
    assert said == '"\u00e9", "e\\u0301" are read as one label, "\u00e9"'
    (said,) = merged_spellings({"a\x1b[2J": 2, "a\x1b[2J ": 1})[1]
    assert said.isprintable()
    (said,) = merged_spellings({"x" * 900: 2, "x" * 900 + " ": 1})[1]
    assert len(said) < 250


def test_many_are_counted_instead_of_said() -> None:
    labels = [f"{word}{number}" for number in range(SAID + 7) for word in ("film", "Film")]
    found, said = merged_spellings(dict.fromkeys(labels, 1))
    assert len(found) == SAID + 7 and len(said) == SAID + 1
    assert said[-1] == "7 more labels are made one of several spellings each"


@given(COUNTS)
def test_what_is_read_is_tidy_stays_itself_and_swallows_no_label(counts: dict[str, int]) -> None:
    found, said = merged_spellings(counts)
    read = {label: found.get(label, label) for label in counts}
    for label, spelled in read.items():
        if label.strip():
            assert spelled and spelled == " ".join(unicodedata.normalize("NFC", spelled).split())
    totals: dict[str, int] = {}
    for label, spelled in read.items():
        totals[spelled] = totals.get(spelled, 0) + counts[label]
    again, repeated = merged_spellings({label: n for label, n in totals.items() if label.strip()})
    assert again == {} and [line for line in repeated if "read as one" in line] == []
    assert len(said) <= SAID + 2


def test_a_reader_needs_no_torch_for_it() -> None:
    code = "import sys, regard.data.reading.spellings; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"yes": 4, "Y": 3, "no": 2, "n": 5}, ['"Y" and "yes"', '"n" and "no"']),
        ({"TRUE": 4, "1": 3, "FALSE": 2, "0": 5}, ['"1" and "TRUE"', '"0" and "FALSE"']),
        ({"good": 9, "good.": 3, '"good"': 2, "bad": 5}, ['""good"" and "good" and "good."']),
        ({"good": 9, "goood": 2, "bad": 5}, ['"good" and "goood"']),
        ({"good": 9, "None": 2, "bad": 5}, ['"None" is learned as a label of its own']),
        ({"good": 9, "unknown": 2, "bad": 5}, ['"unknown" is learned as a label of its own']),
        ({"0": 9, "1": 2, "-1": 5, "2": 1}, []),
        ({"Drama/Crime": 4, "Crime": 3, "War/Drama": 2}, ['"Drama/Crime" is learned as one']),
        ({"joy+fear": 4, "joy": 3, "fear+envy": 2}, ['"joy+fear" is learned as one label']),
        ({"1/5": 4, "2/5": 3, "5/5": 2, "n/a": 1}, []),
        ({"1+": 9, "1-": 2}, []),
        ({"class10": 9, "class11": 2}, []),
        ({"B-PER": 9, "I-PER": 2, "PER": 3}, []),
        ({"c": 9, "c++": 2, "c#": 3}, []),
        ({"unhappy": 9, "happy": 2, "n": 5, "m": 5}, []),
    ],
)
def test_labels_that_look_like_one_or_none_are_told(
    labels: dict[str, int], said: list[str]
) -> None:
    found = list(look_alikes(labels))
    assert [each[: len(start)] for each, start in zip(found, said, strict=True)] == said
