"""Documents as tokens, with the end of every sentence marked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer

_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n")


@dataclass(frozen=True, eq=False)
class DocumentCoder:
    """A tokenizer that adds `</s>` after every sentence.

    A document of several lines has one sentence per line; one of a single line is split after `.`,
    `!` and `?`, heuristically.

    >>> tokenizer = Tokenizer.train(["ab. c"], "characters")
    >>> coder = DocumentCoder(tokenizer)
    >>> coder.tokens(coder.encode(["a. b!"]).values.tolist())
    ['a', '.', '</s>', 'b', '<unk>', '</s>']
    """

    tokenizer: Tokenizer

    def encode(self, texts: Sequence[str], longest: int | None = None) -> Ragged:
        """The ids of each document; of a long one, slightly more than the first `longest`."""
        cut = [_first(sentences_of(text), longest) for text in texts]
        encoded = self.tokenizer.encode(list(chain.from_iterable(cut)), longest)
        sizes = encoded.lengths
        end = np.array([self.tokenizer.end], dtype=np.int32)
        pieces = [each for row in encoded if len(row) for each in (row, end)]
        owner = np.repeat(np.arange(len(cut)), [len(each) for each in cut])
        lengths = np.bincount(owner, weights=sizes + (sizes > 0), minlength=len(cut))
        values = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)
        return Ragged(values, np.concatenate([[0], np.cumsum(lengths.astype(np.int64))]))

    def tokens(self, numbers: Sequence[int]) -> list[str]:
        """Each id as a readable piece."""
        return self.tokenizer.tokens(numbers)

    def unknown(self, text: str, longest: int | None = None) -> list[str]:
        """The distinct parts of a text that become `<unk>`, sorted."""
        return self.tokenizer.unknown(text, longest)


def _first(sentences: list[str], longest: int | None) -> list[str]:
    """The first sentences: each has a token, and one that marks its end."""
    return sentences if longest is None else sentences[: longest + 1]


def sentences_of(text: str) -> list[str]:
    r"""The non-blank sentences of a document.

    >>> sentences_of("It rains. Stay in!"), sentences_of("it rains . stay in !\nor not .")
    (['It rains.', 'Stay in!'], ['it rains . stay in !', 'or not .'])
    """
    lines = text.split("\n") if "\n" in text.strip() else _END.split(text)
    return [line.strip() for line in lines if line.strip()]
