"""Tokenizer: text to numbers and back, learned from text, kept in one `tokenizer.json`."""

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from regard._io.extra import extra
from regard._io.files import read_json, write_whole
from regard.data.encoding.pieces import spelled
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import MAX_TOKENS, SPECIALS

KINDS = {
    "bpe": "BPE",
    "wordpiece": "WordPiece",
    "unigram": "Unigram",
    "words": "WordLevel",
    "characters": "WordLevel",
}
"""The kinds, and what `tokenizer.json` calls their models."""


class Tokenizer:
    """A trained tokenizer, of the package `tokenizers`.

    The numbers 0 to 3 are `<pad>`, `<unk>`, `<s>` and `</s>` as in `Vocabulary`; no text is ever
    read as one of them. `bpe`, `wordpiece` and `unigram` work on the bytes of the text in Unicode's
    composed form (NFC), a space put in front of it: nothing is unknown to them, the first word of a
    text is the same token as inside it, and `decode` gives back the text exactly. `words` are runs
    of letters and digits, or of other signs; `decode` puts a space between any two.

    >>> tokenizer = Tokenizer.train(["ein Hund", "ein Haus"], "characters")
    >>> tokenizer.decode(tokenizer.encode(["du"]).values.tolist()), tokenizer.unknown("aber")
    ('du', ['b', 'r'])
    """

    def __init__(self, inner: Any) -> None:
        inner.encode_special_tokens = True  # `</s>` in a text is four characters, not an end
        self._inner = inner

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str = "bpe",
        size: int = 8000,
        lowercase: bool = False,
        running: bool = False,
    ) -> "Tokenizer":
        """Learn at most `size` tokens from these texts; the same texts give the same tokens.

        One exception: the package learns `unigram` with sums in random order, so that its numbers
        are not the same each time; the saved file is what counts.

        `running` texts follow one upon another (the lines of a book): none gets a space in front,
        so that decoding all of them, joined, gives the whole. Of `characters` every one is kept,
        whatever `size` says.

        Raises `ValueError` for an unknown kind, a size too small, and texts without any character.
        """
        from regard.data.encoding.tokenizer_kinds import learned

        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        with threads():
            return cls(learned(texts, kind, size, lowercase, running))

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read what `save` wrote; raises `ValueError` naming the file when it is damaged."""
        package = extra("tokenizers")
        try:
            text = Path(path).read_text("utf-8")
            _check(read_json(text))
            inner = package.Tokenizer.from_str(text)
        except OSError:
            raise
        except Exception as error:  # the package raises bare Exception for a wrong file
            raise ValueError(f"{path} is not a tokenizer of this library: {error}") from None
        found = tuple(inner.id_to_token(number) for number in range(len(SPECIALS)))
        if found != SPECIALS:
            raise ValueError(f"{path} must begin with {list(SPECIALS)}, it has {list(found)}")
        return cls(inner)

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`, whole or not at all."""
        write_whole(Path(path), self.json().encode())

    def json(self) -> str:
        """What `save` writes; equal texts are equal tokenizers."""
        return self._inner.to_str(pretty=True)

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        model = type(self._inner.model).__name__
        kinds = [kind for kind, name in KINDS.items() if name == model]
        return kinds[type(self._inner.pre_tokenizer).__name__ == "Split"] if kinds[1:] else kinds[0]

    def __len__(self) -> int:
        return self._inner.get_vocab_size()

    @property
    def pad(self) -> int:
        """The number that fills up short sequences."""
        return SPECIALS.index("<pad>")

    @property
    def unk(self) -> int:
        """The number of what is not known."""
        return SPECIALS.index("<unk>")

    @property
    def begin(self) -> int:
        """The number before the first output."""
        return SPECIALS.index("<s>")

    @property
    def end(self) -> int:
        """The number after the last output."""
        return SPECIALS.index("</s>")

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The numbers of each text, int32, without `<s>` and `</s>`."""
        with threads():
            encoded = self._inner.encode_batch_fast(list(texts), add_special_tokens=False)
        rows = [each.ids for each in encoded]
        offsets = np.cumsum([0] + [len(row) for row in rows])
        values = np.fromiter(chain.from_iterable(rows), dtype=np.int32, count=int(offsets[-1]))
        return Ragged(values, offsets)

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of these numbers, without the first four."""
        return self._inner.decode(list(numbers), skip_special_tokens=True)

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each number as a piece to look at: `▁` marks a word's beginning, `<e2>` part of a letter.

        >>> tokenizer = Tokenizer.train(["so so"], size=300)
        >>> tokenizer.tokens(tokenizer.encode(["so é"]).values.tolist())
        ['▁so', '▁', '<c3>', '<a9>']
        """
        pieces = [self._inner.id_to_token(number) for number in numbers]
        return (
            pieces if self.kind in ("characters", "words") else [spelled(piece) for piece in pieces]
        )

    def unknown(self, text: str) -> list[str]:
        """The distinct parts of a text that are read as `<unk>`, sorted."""
        encoding = self._inner.encode(text, add_special_tokens=False)
        spans = zip(encoding.ids, encoding.offsets, strict=True)
        return sorted({text[start:end] for number, (start, end) in spans if number == self.unk})


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


def _check(content: Any) -> None:
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or model.get("type") not in KINDS.values():
        raise ValueError(f"its model must be one of {', '.join(KINDS.values())}")
    if len(model.get("vocab", ())) > MAX_TOKENS:
        raise ValueError(f"it has {len(model['vocab'])} tokens, {MAX_TOKENS} are allowed")
