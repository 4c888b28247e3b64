"""Encoded examples are the tokenizer's numbers, row for row, wherever they lie."""

import os
from pathlib import Path

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.encoding.examples import encode_examples, load_examples
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer

TEXTS = ["a", "bb b", "ccc", "", "abcabcabc", "ba"] * 400
LABELS = ["no", "yes", "yes"] * 800
CHARACTERS = Tokenizer.train(TEXTS, "characters")


def dataset():
    return extra("datasets").Dataset.from_dict({"text": TEXTS, "label": LABELS})


def test_taken_rows_are_the_tokenizers_numbers(tmp_path: Path) -> None:
    made = encode_examples(
        dataset(), {"text": CHARACTERS, "label": ["no", "yes"]}, tmp_path / "train"
    )
    rows = np.array([4, 0, 2399, 4])
    (taken,) = made.take(rows)
    assert taken.values.tolist() == CHARACTERS.encode([TEXTS[r] for r in rows]).values.tolist()
    assert made.lengths[:, 0].tolist() == [len(text) for text in TEXTS]
    assert [("no", "yes")[label] for label in made.labels] == LABELS
    assert load_examples(tmp_path / "train").lengths.tolist() == made.lengths.tolist()


def test_longer_rows_are_dropped_or_cut_and_counted(tmp_path: Path) -> None:
    readers = {"text": CHARACTERS, "label": ["no", "yes"]}
    dropped = encode_examples(dataset(), readers, tmp_path / "a", max_length=4)
    assert (len(dropped), dropped.dropped, dropped.cut) == (2000, 400, 0)
    kept = [row for row, text in enumerate(TEXTS) if len(text) <= 4]
    assert dropped.rows.tolist() == kept
    assert dropped.labels.tolist() == [int(LABELS[row] == "yes") for row in kept]
    cut = encode_examples(dataset(), readers, tmp_path / "b", max_length=4, longer="cut")
    assert (len(cut), cut.dropped, cut.cut) == (2400, 0, 400)
    assert CHARACTERS.decode(cut.take(np.array([4]))[0].values.tolist()) == "abca"


def test_nothing_left_and_unknown_labels_are_errors(tmp_path: Path) -> None:
    long = extra("datasets").Dataset.from_dict({"text": ["abc"] * 3})
    with pytest.raises(ValueError, match="none of 3 examples has at most 2 tokens"):
        encode_examples(long, {"text": CHARACTERS}, tmp_path / "a", max_length=2)
    with pytest.raises(ValueError, match="label 'yes' is not among the 1"):
        encode_examples(dataset(), {"text": CHARACTERS, "label": ["no"]}, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    encode_examples(dataset(), {"text": CHARACTERS}, tmp_path / "a")
    os.truncate(tmp_path / "a" / "text.values", 4)
    with pytest.raises(ValueError, match="damaged"):
        load_examples(tmp_path / "a")
    with pytest.raises(ValueError, match="holds no encoded examples"):
        load_examples(tmp_path)


def test_a_stream_of_tokens_is_the_text(tmp_path: Path) -> None:
    stream = TokenStream.encode(TEXTS, CHARACTERS, tmp_path / "stream")
    text = "".join(TEXTS)
    assert CHARACTERS.decode(stream.values.tolist()) == text
    blocks = stream.blocks(np.array([0, 7, len(text) - 5]), 5)
    wanted = [text[:5], text[7:12], text[-5:]]
    assert [CHARACTERS.decode(block.tolist()) for block in blocks] == wanted
    for offset in (-1, len(text) - 4):
        with pytest.raises(ValueError, match="a block of 5"):
            stream.blocks(np.array([offset]), 5)


def test_no_text_at_all_is_no_stream(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no stream"):
        TokenStream.encode([], CHARACTERS, tmp_path / "stream")
