"""Rows of a stream, encoded in memory."""

import pytest

from regard.data.encoding.examples import encoded
from regard.data.encoding.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def characters() -> Tokenizer:
    return Tokenizer.train(["abc"], "characters")


def test_rows_in_memory_are_the_numbers_their_tokenizer_gives(characters: Tokenizer) -> None:
    rows = [{"text": "ab", "label": "y"}, {"text": "c", "label": "x"}]
    found = encoded(rows, {"text": characters, "label": ("x", "y")})
    (texts,) = found.take(found.rows)
    assert texts.values.tolist() == characters.encode(["abc"]).values.tolist()
    assert found.lengths.tolist() == [[2], [1]] and found.labels.tolist() == [1, 0]


def test_rows_that_are_too_long_are_dropped_with_their_labels(characters: Tokenizer) -> None:
    rows = [{"text": "abc", "label": "x"}, {"text": "b", "label": "y"}]
    found = encoded(rows, {"text": characters, "label": ("x", "y")}, max_length=2)
    assert (len(found), found.dropped, found.labels.tolist()) == (1, 1, [1])


def test_a_stream_of_nothing_but_long_rows_is_an_error(characters: Tokenizer) -> None:
    with pytest.raises(ValueError, match="none of 1 examples has at most 2 tokens"):
        encoded([{"text": "abc"}], {"text": characters}, max_length=2)
