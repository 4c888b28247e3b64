"""Vocabulary: tokens to ids and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from regard._printable import shown

PAD_TOKEN, UNKNOWN_TOKEN, BEGIN_TOKEN, END_TOKEN = "<pad>", "<unk>", "<s>", "</s>"
SPECIAL_TOKENS = (PAD_TOKEN, UNKNOWN_TOKEN, BEGIN_TOKEN, END_TOKEN)
MAX_TOKENS = 1_000_000


@dataclass(frozen=True)
class Vocabulary:
    """A list of distinct tokens; a token's id is its index in the list.

    The first four are always padding, the unknown token, and the beginning and end of a sequence.
    A token that is not in the list becomes `<unk>`. The model never sees that token in training, so
    an answer for a text with unknown characters is a guess; `unknown` lists them.

    Raises `ValueError` when the special tokens do not come first or a token is duplicated.

    >>> letters = Vocabulary.build("abca")
    >>> letters.encode("cab?")
    [6, 4, 5, 1]
    >>> letters.decode([6, 4, 5, 3])
    ['c', 'a', 'b', '</s>']
    >>> letters.unknown("cab?!?")
    ['!', '?']
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if not all(isinstance(token, str) and token for token in self.tokens):
            raise ValueError("every token of a vocabulary must be a non-empty string")
        if self.tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise ValueError(f"a vocabulary must begin with {list(SPECIAL_TOKENS)}")
        if len(self.tokens) > MAX_TOKENS:
            raise ValueError(
                f"a vocabulary has {MAX_TOKENS} tokens at most, this one has {len(self.tokens)}"
            )
        if len(self._numbers) != len(self.tokens):
            raise ValueError(
                f"the tokens of a vocabulary must be distinct: of {len(self.tokens)} only "
                f"{len(self._numbers)} are"
            )

    @classmethod
    def build(cls, tokens: Iterable[str]) -> "Vocabulary":
        """The vocabulary of these tokens, sorted, after the special tokens."""
        return cls(SPECIAL_TOKENS + tuple(sorted(set(tokens) - set(SPECIAL_TOKENS))))

    @classmethod
    def of(cls, found: Any) -> "Vocabulary":
        """The vocabulary of a token list from a file, in order."""
        if not isinstance(found, list):
            raise ValueError(f"its tokens must be a list, got {shown(found)}")
        return cls(tuple(found))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def pad(self) -> int:
        """The padding id."""
        return self._numbers[PAD_TOKEN]

    @property
    def unknown_id(self) -> int:
        """The id of the unknown token."""
        return self._numbers[UNKNOWN_TOKEN]

    @property
    def begin(self) -> int:
        """The id before the first output."""
        return self._numbers[BEGIN_TOKEN]

    @property
    def end(self) -> int:
        """The id after the last output."""
        return self._numbers[END_TOKEN]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Tokens to ids."""
        unknown = self.unknown_id
        return [self._numbers.get(token, unknown) for token in tokens]

    def decode(self, numbers: Sequence[int]) -> list[str]:
        """Ids to tokens."""
        return [self.tokens[number] for number in numbers]

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """The distinct tokens that are not in the list, sorted."""
        return sorted(set(tokens) - set(self.tokens))
