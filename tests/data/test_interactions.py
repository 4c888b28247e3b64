"""A corpus of interactions is what is learned from, and what is held out to ask for."""

from typing import Any

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.encoding.histories import Histories
from regard.data.encoding.interactions import held_out_examples, histories_in, require_examples

NAMES = ("user", "item", "rating", "timestamp", "category")


def split_of(rows: list[tuple[str, ...]]) -> Any:
    """Interactions as the reading of data gives them."""
    columns = zip(*rows, strict=True)
    named = {name: list(cells) for name, cells in zip(NAMES, columns, strict=False)}
    return extra("datasets").Dataset.from_dict(named)


def chosen(user: str, items: str) -> list[tuple[str, ...]]:
    return [(user, item, "", "") for item in items]


def asked(found: Histories, splits: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """For each split the histories and what is asked after them, as letters."""
    known, letters = found.catalogue, {}
    for split, part in held_out_examples(splits, known).items():
        letters[split] = [
            ("".join(known.items[item] for item in history), known.items[target])
            for history, target in zip(part.take(np.arange(len(part))), part.targets, strict=True)
        ]
    return letters


def test_without_parts_each_users_last_two_items_are_held_out() -> None:
    rows = split_of([*chosen("ann", "abcd"), *chosen("bob", "ba")])
    assert asked(histories_in(rows), {"train": rows}) == {
        "train": [("a", "b"), ("b", "a")],
        "valid": [("ab", "c")],
        "test": [("abc", "d")],
    }


def test_a_test_alone_is_asked_after_all_that_is_told_before_it() -> None:
    rows, test = split_of(chosen("ann", "abcd")), split_of(chosen("ann", "ca"))
    found = asked(histories_in(rows), {"train": rows, "test": test})
    assert found["valid"] == [("ab", "c")] and found["test"] == [("abcdc", "a")]


def test_with_a_part_to_validate_on_everything_before_it_is_learned() -> None:
    rows = split_of(chosen("ann", "abc"))
    further = {"test": split_of(chosen("ann", "a")), "valid": split_of(chosen("ann", "b"))}
    assert asked(histories_in(rows), {"train": rows, **further}) == {
        "train": [("a", "b"), ("ab", "c")],
        "valid": [("abc", "b")],
        "test": [("abcb", "a")],
    }


def test_what_is_known_of_an_item_stands_between_tabs() -> None:
    rows = split_of([("ann", "a", "", "", "x\ty"), ("ann", "b", "", "", "x\t")])
    known = histories_in(rows).catalogue
    table = dict(zip(known.items, known.features.tolist(), strict=True))
    assert [known.values[number] for number in table["a"]] == ["0=x", "1=y"]
    assert [known.values[number] for number in table["b"]] == ["0=x", ""]


@pytest.mark.parametrize(
    ("rows", "held_out", "why"),
    [
        (chosen("ann", "a"), True, "no user of 1 has more than 1 interaction, and one with 4 is"),
        (chosen("ann", "abc"), True, "more than 3 interactions, .* last two are held out"),
        (chosen("ann", "a"), False, "more than 1 interaction, and one with 2 is needed"),
    ],
)
def test_too_little_to_learn_from_is_refused(
    rows: list[tuple[str, ...]], held_out: bool, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        require_examples(histories_in(split_of(rows)), held_out)


def test_what_is_enough_to_learn_from_is_taken() -> None:
    require_examples(histories_in(split_of(chosen("ann", "abcd"))), held_out=True)
    require_examples(histories_in(split_of(chosen("ann", "ab"))), held_out=False)
