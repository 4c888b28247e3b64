"""Tokenizer: text to ids and back, trained on text, saved in one `tokenizer.json`."""

import json
import multiprocessing
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard._io.extra import extra
from regard._io.files import read_file, read_json, write_whole
from regard.data.encoding.framed import Frame, Framed
from regard.data.encoding.pieces import readable_piece
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.special_tokens import SpecialTokens
from regard.data.encoding.trusted import (
    TOKENIZER_MODELS,
    refused_as_value_error,
    require_characters,
    require_numbered,
    require_readable,
    require_steady,
)
from regard.sequences import Sequences

LETTERS, SLACK = 16, 1000
"""Characters that are looked at: so many for each token that is wanted, and so many more."""

MOST_BYTES = 64 * 2**20
"""Of a `tokenizer.json`: a quarter of a million tokens take 17 MB."""

_SPACE = re.compile(r"\s")

ALONE = 2
"""The segment of tokens that belong to neither of two texts, 0 and 1."""
ENCODED_AT_ONCE = 1000
"""Texts encoded at a time."""
CHARACTERS_AT_ONCE = 2**18
"""Characters of several texts encoded at a time: each may become a token of a hundred bytes."""


class Tokenizer:
    """A trained tokenizer, from the package `tokenizers`.

    The ids `pad`, `unknown_id`, `begin` and `end` are those of its special tokens, whatever their
    names (`[PAD]`, `[CLS]`, `<|endoftext|>` ...); text is never encoded as one of them, and a
    missing one that is needed is a `ValueError`; for `pad` any id will do. Those created by `train`
    are `<pad>`, `<unk>`, `<s>` and `</s>`, with ids 0 to 3 as in `Vocabulary`.

    Of the kinds of `train`, `bpe`, `wordpiece` and `unigram` work on the bytes of the text in
    Unicode's composed form (NFC), with a leading space: nothing is unknown to them, the first word
    of a text has the same tokens as elsewhere, and `decode` restores the text exactly. `words` are
    runs of letters and digits, or of other characters; `decode` puts a space between any two.
    `bert` is WordPiece as in BERT, on characters: its special tokens are `[PAD]`, `[UNK]`, `[CLS]`,
    `[SEP]` and `[MASK]`, and its `frame` is what it adds around texts.

    >>> tokenizer = Tokenizer.train(["ein Hund", "ein Haus"], "characters")
    >>> tokenizer.decode(tokenizer.encode(["du"]).values.tolist()), tokenizer.unknown("aber")
    ('du', ['b', 'r'])
    """

    def __init__(self, inner: Any) -> None:
        inner.encode_special_tokens = True  # `</s>` in a text is four characters, not an end
        self._inner = inner
        self.specials = SpecialTokens.find(inner.token_to_id)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str = "bpe",
        size: int = 8000,
        lowercase: bool = False,
        running: bool = False,
    ) -> "Tokenizer":
        """Train a tokenizer of at most `size` tokens; the same texts give the same tokens.

        One exception: the package trains `unigram` with sums in random order, so that its scores
        are not reproducible; the saved file is what counts.

        `running` texts are consecutive (the lines of a book): none gets a leading space, so that
        decoding all of them, joined, restores the whole. `characters` keeps every character,
        whatever `size`.

        Raises `ValueError` for an unknown kind, a size too small, and empty texts.
        """
        from regard.data.encoding.tokenizer_kinds import train_tokenizer

        if kind not in TOKENIZER_MODELS:
            raise ValueError(f"kind must be one of {', '.join(TOKENIZER_MODELS)}, got {kind!r}")
        with threads():
            return cls(train_tokenizer(texts, kind, size, lowercase, running))

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Load what `save` wrote, or any other `tokenizer.json` with one of these models.

        Raises `ValueError` naming the file when it is damaged.
        """
        try:
            content = read_file(Path(path), MOST_BYTES)
            return cls.of_entries(read_json(content, MOST_BYTES))
        except ValueError as error:
            raise ValueError(f"{path} is not a tokenizer: {error}") from None

    @classmethod
    def of_entries(cls, entries: Any) -> "Tokenizer":
        """The tokenizer that the contents of a `tokenizer.json` describe.

        Raises `ValueError` for contents that describe none, or one that would not end.
        """
        require_readable(entries)
        with refused_as_value_error():
            inner = extra("tokenizers").Tokenizer.from_str(json.dumps(entries))
            # Lengths are the business of who reads: nothing is cut or filled up here.
            inner.no_truncation()
            inner.no_padding()
            require_numbered(inner, entries)
            require_steady(inner)
        return cls(inner)

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`, atomically."""
        write_whole(Path(path), self.json().encode())

    def json(self) -> str:
        """What `save` writes; equal texts are equal tokenizers."""
        return self._inner.to_str(pretty=True)

    @property
    def kind(self) -> str:
        """One of `TOKENIZER_MODELS`."""
        model = type(self._inner.model).__name__
        kinds = [kind for kind, name in TOKENIZER_MODELS.items() if name == model]
        split = type(self._inner.pre_tokenizer).__name__ == "Split"
        return kinds[1] if split and kinds[1:] else kinds[0]

    def __len__(self) -> int:
        return self._inner.get_vocab_size()

    def number_of(self, piece: str) -> int | None:
        """The number of a token as it is written in the file; None where there is none."""
        return self._inner.token_to_id(piece)

    @property
    def added(self) -> frozenset[int]:
        """The numbers of the tokens that are found in a text as they are, or never."""
        return frozenset(self._inner.get_added_tokens_decoder())

    @property
    def pad(self) -> int:
        """The padding id; any id if there is no padding token.

        Padding is never read.
        """
        return 0 if self.specials.pad is None else self.specials.pad

    @property
    def unknown_id(self) -> int:
        """The id of the unknown token."""
        return self.specials.require("unknown")

    @property
    def begin(self) -> int:
        """The id before the first output."""
        return self.specials.require("begin")

    @property
    def end(self) -> int:
        """The id after the last output."""
        return self.specials.require("end")

    @property
    def mask(self) -> int:
        """The id of the mask token."""
        return self.specials.require("mask")

    @cached_property
    def frame(self) -> Frame:
        """The special tokens added around texts for networks that need them (`Framed`)."""
        with refused_as_value_error():
            found = Frame.of(self._inner)
        outside = [n for n in (*found.before, *found.between, *found.behind) if n >= len(self)]
        if outside:
            raise ValueError(
                f"the tokenizer puts the token {outside[0]} around texts, and has {len(self)} of "
                "them"
            )
        return found

    def sequences(self, texts: Sequence[str], longest: int | None = None) -> Sequences:
        """Encode texts as a network's input, with the tokenizer's special tokens around each.

        Args:
            longest: maximum tokens of each, including special tokens; all if None.

        >>> tokenizer = Tokenizer.train(["low lower"] * 9, "bert", size=60)
        >>> batch = tokenizer.sequences(["low", "lower"])
        >>> tokenizer.tokens(batch.ids[0, : batch.lengths[0]].tolist())
        ['[CLS]', 'low', '[SEP]']
        """
        rows = Framed(self, *self.frame.single).encode(texts, longest)
        found = Sequences.of([row.tolist() for row in rows], self.pad)
        if not self.frame.alone:
            return found
        alone = torch.isin(found.ids, torch.tensor(self.frame.alone))
        return Sequences(found.ids, found.lengths, ALONE * alone.long())

    @cached_property
    def begins_word(self) -> np.ndarray:
        """Whether each id starts a word, as far as the tokens themselves show it.

        >>> tokenizer = Tokenizer.train(["low bits"] * 9, "bert", size=60)
        >>> numbers = tokenizer.encode(["lows"]).values
        >>> tokenizer.tokens(numbers.tolist()), tokenizer.begins_word[numbers]
        (['low', '##s'], array([ True, False]))
        """
        pieces = [self._inner.id_to_token(number) for number in range(len(self))]
        mark = getattr(self._inner.model, "continuing_subword_prefix", None)
        marked = [_begins(piece, self.kind, mark) for piece in pieces]
        specials = {each for each in vars(self.specials).values() if each is not None}
        return np.array([begins or n in specials for n, begins in enumerate(marked)])

    @classmethod
    def of_bert(cls, pieces: Sequence[str], **options: Any) -> "Tokenizer":
        """The tokenizer of a `vocab.txt`, whose lines are the tokens in order.

        Args:
            options: `lowercase`, `strip_accents` and `handle_chinese_chars` of BERT's normalizer.

        Raises `ValueError` for a duplicate token, and a missing special token.
        """
        from regard.data.encoding.tokenizer_kinds import bert_tokenizer

        with refused_as_value_error():
            return cls(bert_tokenizer(pieces, **options))

    def encode(self, texts: Sequence[str], longest: int | None = None) -> Ragged:
        """The ids of each text, int32, without special tokens.

        Args:
            longest: return only this many first tokens of each, all if None. Text far beyond them
                is not processed.

        Raises `ValueError` for invalid text: with a lone surrogate, such as represents a byte that
        is not UTF-8.
        """
        for text in texts:
            require_characters(text)
        if longest is None:
            found = [_numbers(self._rows(some)) for some in portions(texts)]
        else:
            begun = [beginning(text, longest) for text in texts]
            rows = self._rows(begun)
            for place, (text, begin) in enumerate(zip(texts, begun, strict=True)):
                while len(rows[place]) < longest and len(begin) < len(text):
                    begin = beginning(text, longest, len(begin))
                    (rows[place],) = self._rows([begin])
            found = [_numbers([row[:longest] for row in rows])]
        offsets = np.cumsum([0, *chain.from_iterable(lengths for _, lengths in found)])
        values = [np.zeros(0, dtype=np.int32), *(values for values, _ in found)]
        return Ragged(np.concatenate(values), offsets)

    def _rows(self, texts: list[str]) -> list[list[int]]:
        with threads(), refused_as_value_error():
            encoded = self._inner.encode_batch_fast(texts, add_special_tokens=False)
            rows = [each.ids for each in encoded]
            for place, row in enumerate(rows if self._never_text else ()):
                if not self._never_text.isdisjoint(row):
                    rows[place] = self._cutting.encode(texts[place], add_special_tokens=False).ids
        return rows

    def _encoding(self, text: str) -> Any:
        require_characters(text)
        with refused_as_value_error():
            found = self._inner.encode(text, add_special_tokens=False)
            if self._never_text.isdisjoint(found.ids):
                return found
            return self._cutting.encode(text, add_special_tokens=False)

    @cached_property
    def _never_text(self) -> frozenset[int]:
        """The special tokens that the model would find in a text, which unigrams alone do."""
        if self.kind != "unigram":
            return frozenset()
        added = self._inner.get_added_tokens_decoder().items()
        special = {number for number, token in added if token.special}
        return frozenset(special - {self.specials.unknown})

    @cached_property
    def _cutting(self) -> Any:
        """The same for texts that spell special tokens, which are cut behind their first letter."""
        package = extra("tokenizers")
        found = package.Tokenizer.from_str(self.json())
        found.encode_special_tokens = True
        names = [self._inner.id_to_token(number) for number in sorted(self._never_text)]
        cuts = "|".join(f"(?<={re.escape(n[0])}){re.escape(n[1:])}" for n in names if n[1:])
        split = package.pre_tokenizers.Split(package.Regex(cuts), "merged_with_next")
        before = [] if found.pre_tokenizer is None else [found.pre_tokenizer]
        found.pre_tokenizer = package.pre_tokenizers.Sequence([*before, split])
        return found

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The characters of each token of a text, without leading spaces.

        >>> Tokenizer.train(["It rains"], "bert", size=30).spans("It  rains")
        [(0, 2), (4, 9)]
        """
        found = self._encoding(text).offsets
        return [(stop - len(text[start:stop].lstrip()), stop) for start, stop in found]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of these ids, without special tokens."""
        with refused_as_value_error():
            return self._inner.decode(list(numbers), skip_special_tokens=True)

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each id as a readable piece: `▁` marks the start of a word, `<e2>` part of a letter.

        An id without a token is shown as `<32101>`.

        >>> tokenizer = Tokenizer.train(["so so"], size=300)
        >>> tokenizer.tokens(tokenizer.encode(["so é"]).values.tolist())
        ['▁so', '▁', '<c3>', '<a9>']
        """
        pieces = [self._inner.id_to_token(n) or f"<{n}>" for n in numbers]
        return [readable_piece(piece) for piece in pieces] if self._is_of_bytes else pieces

    def unknown(self, text: str, longest: int | None = None) -> list[str]:
        """The distinct unknown parts of a text, sorted.

        Args:
            longest: as in `encode`.
        """
        text = text if longest is None else beginning(text, longest)
        unknown = self.specials.unknown
        encoding = self._encoding(text)
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        return sorted({text[start:end] for number, (start, end) in spans if number == unknown})

    @cached_property
    def _is_of_bytes(self) -> bool:
        """Whether its tokens spell bytes, each as one character."""
        content = json.loads(self.json())
        return "ByteLevel" in json.dumps([content["pre_tokenizer"], content["decoder"]])


def beginning(text: str, longest: int, known: int = 0) -> str:
    """A prefix of a text whose first `longest` tokens are usually those of the whole.

    It ends before a space, or anywhere if there is none for long.

    Args:
        known: length of a prefix that had too few tokens; this one is twice as long.
    """
    least = max(LETTERS * longest + SLACK, 2 * known)
    if len(text) <= 2 * least:
        return text
    space = _SPACE.search(text, least, 2 * least)
    return text[: space.start() if space else 2 * least]


def portions(texts: Iterable[str]) -> Iterator[list[str]]:
    """Texts in order, so many at a time as are encoded at once, and one at least."""
    some: list[str] = []
    size = 0
    for text in texts:
        if some and (len(some) >= ENCODED_AT_ONCE or size + len(text) > CHARACTERS_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(text)
        size += len(text)
    if some:
        yield some


def _numbers(rows: list[list[int]]) -> tuple[np.ndarray, list[int]]:
    """The numbers of these rows, one behind the other, and how many there are of each."""
    lengths = [len(row) for row in rows]
    return np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=sum(lengths)), lengths


def _begins(piece: str, kind: str, mark: str | None) -> bool:
    """Whether a token begins a word: by what marks those that do not, or by the space it spells."""
    if kind in ("words", "characters"):
        return True
    return not piece.startswith(mark) if mark else piece.startswith(("Ġ", "▁", " "))


@contextmanager
def threads() -> Iterator[None]:
    """Let `tokenizers` use every core, which is safe only outside the children of a fork."""
    before = os.environ.get("TOKENIZERS_PARALLELISM", "false")
    if multiprocessing.parent_process() is None:
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
    try:
        yield
    finally:
        os.environ["TOKENIZERS_PARALLELISM"] = before
