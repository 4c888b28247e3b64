"""Generated sentences are tagged word by word, and a word alone does not tell its tag."""

from collections import defaultdict

import pytest

from regard.data.schema import SPLITS
from regard.data.synthetic.names import ANYTHING, UNSEEN, name_rows


def rows(split: str, count: int = 400) -> list[tuple[list[str], list[str]]]:
    found = name_rows(split, count, seed=1)
    return [(words.split("\t"), tags.split("\t")) for words, tags in found]


@pytest.mark.parametrize("split", SPLITS)
def test_every_word_has_a_tag_and_no_entity_goes_on_that_has_not_begun(split: str) -> None:
    for words, tags in rows(split):
        assert len(words) == len(tags) and all(words)
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag == "O" or tag[:2] == "B-" or before[1:] == tag[1:]
    kinds = {tag[2:] for _, tags in rows(split) for tag in tags}
    assert kinds == {"", "PER", "LOC", "ORG", "DATE"}


def test_some_names_are_of_people_places_and_companies_alike() -> None:
    kinds = defaultdict(set)
    for words, tags in rows("train", 2000):
        for word, tag in zip(words, tags, strict=True):
            kinds[word].add(tag[2:])
    assert all(kinds[word] == {"PER", "LOC", "ORG"} for word in ANYTHING)


def test_new_names_come_in_data_to_judge_by_alone() -> None:
    new = {word for words in UNSEEN.values() for word in words}
    known = {word for words, _ in rows("train", 2000) for word in words}
    assert not new & known
    for split in ("valid", "test"):
        assert new <= {word for words, _ in rows(split, 2000) for word in words}


def test_the_same_seed_gives_the_same_rows_and_another_split_others() -> None:
    assert rows("valid", 20) == rows("valid", 20) != rows("test", 20)
    with pytest.raises(ValueError, match="split must be one of train, valid, test, got 'dev'"):
        next(name_rows("dev", 1, 0))
