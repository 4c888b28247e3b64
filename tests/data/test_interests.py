"""The generated users are the same at every call, apart by splits, and true to their interests."""

from itertools import islice

import pytest

from regard.data.encoding.histories import histories
from regard.data.synthetic.interests import EVENTS, INTERESTS, TOPICS, interaction_rows, topic_of


def test_rows_are_the_same_at_every_call_and_more_begin_with_fewer() -> None:
    assert list(interaction_rows("train", 100, 3)) == list(
        islice(interaction_rows("train", 300, 3), 100)
    )
    assert list(interaction_rows("train", 100, 3)) != list(interaction_rows("train", 100, 4))
    assert (
        len(list(interaction_rows("test", 77, 0))) == 77
        and list(interaction_rows("test", 0, 0)) == []
    )


def test_splits_have_different_users_and_the_same_items() -> None:
    users, items = zip(
        *(
            ({r[0] for r in found}, {r[1] for r in found})
            for found in (
                list(interaction_rows(split, 6000, 0)) for split in ("train", "valid", "test")
            )
        ),
        strict=True,
    )
    assert not users[0] & users[1] and not users[0] & users[2] and not users[1] & users[2]
    assert items[0] == items[1] == items[2]


def test_every_user_keeps_to_two_to_four_interests() -> None:
    found = histories(interaction_rows("train", 4000, 0))
    topics = [
        {topic_of(item) for item in found.catalogue.decode(row.tolist())} for row in found.sequences
    ][:-1]
    sizes = {len(mine) for mine in topics}
    assert max(sizes) == INTERESTS[1] and min(sizes) >= 1
    assert set.union(*topics) == set(TOPICS)
    lengths = found.sequences.lengths[:-1]
    assert lengths.min() >= EVENTS[0] and lengths.max() <= EVENTS[1]


def test_another_split_is_refused() -> None:
    with pytest.raises(ValueError, match="split must be one of .*'dev'"):
        next(interaction_rows("dev", 1, 0))
    with pytest.raises(ValueError, match="count must be at least 0"):
        next(interaction_rows("train", -1, 0))
