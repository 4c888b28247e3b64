"""Histories are in the order of time, and leaving one out never shows what is asked."""

from pathlib import Path

import numpy as np
import pytest

from regard.data.encoding.catalogue import Catalogue
from regard.data.encoding.histories import Histories, histories, last_items, leave_one_out
from regard.data.encoding.ragged import Ragged

ROWS = [
    ("ann", "tea", "5", "30"),
    ("bob", "tea", "1", "10"),
    ("ann", "bread", "4", "10"),
    ("ann", "salt", "4", "20"),
    ("ann", "wine", "2", "20"),
    ("bob", "bread", "3", "20"),
    ("ann", "tea", "3", "40"),
]


def chosen(found: Histories) -> dict[str, list[str]]:
    rows = (found.catalogue.decode(row.tolist()) for row in found.sequences)
    return dict(zip(found.users, rows, strict=True))


def test_each_user_has_the_items_by_time_and_rows_of_one_time_keep_their_order() -> None:
    assert chosen(histories(ROWS)) == {
        "ann": ["bread", "salt", "wine", "tea", "tea"],
        "bob": ["tea", "bread"],
    }


def test_items_are_numbered_from_the_most_frequent_on() -> None:
    found = histories(ROWS)
    assert found.catalogue.items == ("<pad>", "<unk>", "tea", "bread", "salt", "wine")
    assert found.counts.tolist() == [0, 0, 3, 2, 1, 1]


def test_without_times_the_rows_are_in_order() -> None:
    rows = [("ann", item, "", "") for item in ("c", "a", "b", "a")]
    assert chosen(histories(rows)) == {"ann": ["c", "a", "b", "a"]}


def test_the_same_row_twice_counts_once_but_choosing_again_counts_again() -> None:
    rows = [("ann", "a", "", "1"), ("ann", "a", "", "1"), ("ann", "a", "", "2")]
    assert chosen(histories(rows)) == {"ann": ["a", "a"]}


def test_what_is_rated_lower_is_left_out() -> None:
    assert chosen(histories(ROWS, least=4.0))["ann"] == ["bread", "salt", "tea"]
    assert chosen(histories([("a", "b", "-1", "")], least=None)) == {"a": ["b"]}
    with pytest.raises(ValueError, match="none of 1 is rated 0.0 or better"):
        histories([("a", "b", "-1", "")], least=0.0)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("", "tea", "5", "1"), "row 2: the user is empty"),
        (("ann", " ", "5", "1"), "row 2: the item is empty"),
        (("ann", "tea", "five", "1"), "row 2: the rating 'five' is not a number"),
        (("ann", "tea", "5", ""), "row 2: the timestamp '' is neither"),
        (("ann", "tea", "5", "soon"), "row 2: the timestamp 'soon' is neither"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        histories([ROWS[0], row])


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(ValueError, match="no interaction is left: there is no row"):
        histories([])


def test_features_of_items_get_numbers_of_their_own() -> None:
    rows = [("a", "tea", "", "", "drink", "hot"), ("a", "wine", "", "", "drink", ""),
            ("a", "hot", "", "", "", "drink")]  # fmt: skip
    catalogue = histories(rows).catalogue
    table = dict(zip(catalogue.items, catalogue.features.tolist(), strict=True))
    assert table["tea"][0] == table["wine"][0] != table["hot"][1]
    assert table["wine"][1] == table["hot"][0] == 0
    assert catalogue.values[table["tea"][1]] == "1=hot"
    assert table["<pad>"] == [0, 0]


def test_features_are_those_of_the_last_row_that_has_some() -> None:
    rows = [("a", "tea", "", "", "food"), ("b", "tea", "", "", "drink"), ("c", "tea", "", "", "")]
    assert histories(rows).catalogue.values == ("", "0=drink")


def test_the_last_two_items_are_kept_for_valid_and_test() -> None:
    rows = [("ann", i, "", "") for i in "abcde"] + [("bob", "a", "", ""), ("bob", "b", "", "")]
    found = histories(rows)
    parts = leave_one_out(found)
    names = {
        split: [
            ("".join(found.catalogue.decode(h.tolist())), found.catalogue.items[t])
            for h, t in zip(part.take(np.arange(len(part))), part.targets, strict=True)
        ]
        for split, part in parts.items()
    }
    assert names == {
        "train": [("a", "b"), ("ab", "c"), ("a", "b")],
        "valid": [("abc", "d")],
        "test": [("abcd", "e")],
    }
    assert [part.users.tolist() for part in parts.values()] == [[0, 0, 1], [0], [0]]


def test_a_long_history_is_read_from_its_end() -> None:
    part = leave_one_out(histories([("ann", i, "", "") for i in "abcde"]))["test"]
    every, last = part.take(np.array([0])), part.take(np.array([0]), longest=2)
    assert last.values.tolist() == every.values.tolist()[-2:]


def test_a_further_split_goes_on_from_what_is_known_of_a_user() -> None:
    train = histories([("ann", i, "", "") for i in "abc"])
    rows = [("ann", "c", "", ""), ("ann", "x", "", ""), ("ann", "a", "", ""), ("eve", "b", "", "")]
    further = histories([*rows, ("joe", "y", "", "")], catalogue=train.catalogue)
    part = last_items(further, train)
    a, b, c = train.catalogue.encode("abc")
    assert [h.tolist() for h in part.take(np.arange(3))] == [[a, b, c, c], [], []]
    assert part.targets.tolist() == [a, b, 1]


def test_a_saved_catalogue_is_the_catalogue(tmp_path: Path) -> None:
    for features in (None, {"tea": ("drink",), "bread": ("food",)}):
        catalogue = Catalogue.build({"tea": 2, "bread": 1}, features)
        catalogue.save(tmp_path / "items.json")
        again = Catalogue.load(tmp_path / "items.json")
        assert (again.items, again.values) == (catalogue.items, catalogue.values)
        assert np.array_equal(again.features, catalogue.features)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"items": ["a"], "features": [[]], "values": [""]}',
     '{"items": ["<pad>", "<unk>", "a", "a"], "features": [[], [], [], []], "values": [""]}',
     '{"items": ["<pad>", "<unk>", "a"], "features": [[0], [0], [9]], "values": [""]}',
     '{"items": ["<pad>", "<unk>", "a"], "features": [[], []], "values": [""]}'],
)  # fmt: skip
def test_a_damaged_catalogue_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "items.json").write_text(text)
    with pytest.raises(ValueError, match="items.json (holds no catalogue|is damaged)"):
        Catalogue.load(tmp_path / "items.json")


def test_names_of_specials_are_unknown_items() -> None:
    assert Catalogue.build({"a": 1}).encode(["<pad>", "<unk>", "b", "a"]) == [1, 1, 1, 2]


def test_an_item_alone_has_an_empty_history() -> None:
    found = histories([("ann", "a", "", "")])
    assert [len(part) for part in leave_one_out(found).values()] == [0, 0, 0]
    assert isinstance(last_items(found).take(np.array([0])), Ragged)
    assert last_items(found).take(np.array([0])).lengths.tolist() == [0]
