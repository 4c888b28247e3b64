"""Pieces of text are whole characters, come to the text of all tokens, and stop where they must."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from regard.data.encoding.tokenizer import Tokenizer
from regard.generation import TextPieces

TEXTS = [
    "Ein Löwe fraß 3 Äpfel – und dann? 🦁🍎 Nichts mehr.",
    "日本語のテキスト、そして絵文字👩‍👩‍👧",
    "plain words, and some more of them; don't stop",
    "   spaces  and\nlines\n\n",
]


class OfBytes:
    """Bytes, decoded as byte-level tokenizers do."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]

    def decode(self, numbers: Sequence[int]) -> str:
        return bytes(numbers).decode(errors="replace")


class FallingBack(OfBytes):
    """Bytes in runs, as tokenizers with a byte fallback decode them: a broken run is all broken."""

    def decode(self, numbers: Sequence[int]) -> str:
        try:
            return bytes(numbers).decode()
        except UnicodeDecodeError:
            return "\ufffd" * len(numbers)


TOKENIZERS = {
    "bytes": OfBytes,
    "fallback": FallingBack,
    "bpe": lambda: Tokenizer.train(TEXTS, "bpe", 300),
    "unigram": lambda: Tokenizer.train(TEXTS, "unigram", 300),
    "characters": lambda: Tokenizer.train(TEXTS, "characters"),
}
each = pytest.mark.parametrize("make", TOKENIZERS.values(), ids=TOKENIZERS)


def read(tokenizer: Any, text: str) -> list[int]:
    (row,) = tokenizer.encode([text])
    return [int(token) for token in row]


@each
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("begun", [0, 1, 5, 30])
def test_pieces_are_the_text_without_half_a_character(make: Any, text: str, begun: int) -> None:
    tokenizer = make()
    tokens = read(tokenizer, text)
    if "\ufffd" in tokenizer.decode(tokens[:begun]):
        begun = 0  # What is before is a text.
    pieces = TextPieces(tokenizer, tokens[:begun])
    found = [pieces.push(token) for token in tokens[begun:]]
    assert not any("\ufffd" in piece for piece in found)
    whole = tokenizer.decode(tokens)
    assert tokenizer.decode(tokens[:begun]) + "".join(found) + pieces.rest() == whole


def test_long_texts_are_decoded_a_little_at_a_time() -> None:
    class Counting(OfBytes):
        most = 0

        def decode(self, numbers: Sequence[int]) -> str:
            self.most = max(self.most, len(numbers))
            return super().decode(numbers)

    tokenizer, text = Counting(), "äöü🦁 ab" * 300
    pieces = TextPieces(tokenizer)
    found = "".join(pieces.push(token) for token in text.encode()) + pieces.rest()
    assert found == text and tokenizer.most < 50


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_are_no_text_come_out_as_decoded(seed: int) -> None:
    draw = random.Random(seed)
    tokens = [
        draw.choice([0x61, 0xC3, 0xA4, 0xF0, 0x9F, 0xA6, 0x81, 0x80, 0xFF]) for _ in range(200)
    ]
    pieces = TextPieces(OfBytes())
    found = "".join(pieces.push(token) for token in tokens) + pieces.rest()
    assert found == OfBytes().decode(tokens)


@pytest.mark.parametrize("seed", range(20))
def test_a_text_ends_before_the_first_of_its_stop_strings(seed: int) -> None:
    draw = random.Random(seed)
    text = "".join(draw.choice("aab\n") for _ in range(60))
    stop = ["".join(draw.choice("ab\n") for _ in range(draw.randint(2, 5))) for _ in range(3)]
    pieces = TextPieces(OfBytes(), stop=stop)
    found = []
    for token in text.encode():
        found.append(pieces.push(token))
        if pieces.stopped:
            break
    places = [text.find(each) for each in stop if each in text]
    wanted = text[: min(places)] if places else text
    assert "".join(found) + pieces.rest() == wanted and pieces.stopped == bool(places)
    if places:
        # It is known at the earliest moment.
        assert len(found) == min(text.find(each) + len(each) for each in stop if each in text)


def test_nothing_is_written_behind_a_stop_string() -> None:
    pieces = TextPieces(OfBytes(), stop=["b"])
    assert [pieces.push(token) for token in b"abc"] == ["a", "", ""] and pieces.rest() == ""


def test_stop_strings_are_several_and_have_characters() -> None:
    with pytest.raises(ValueError, match="at least one character"):
        TextPieces(OfBytes(), stop=[""])
    with pytest.raises(TypeError, match=r"give \['end'\]"):
        TextPieces(OfBytes(), stop="end")
