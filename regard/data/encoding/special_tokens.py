"""The special tokens of a tokenizer, found by their common names."""

from collections.abc import Callable
from dataclasses import dataclass

CALLED = {
    "pad": ("<pad>", "[PAD]", "<|pad|>"),
    "unknown": ("<unk>", "[UNK]"),
    "begin": ("<s>", "[CLS]", "<|begin_of_text|>", "<bos>", "<cls>", "<|endoftext|>"),
    "end": ("</s>", "[SEP]", "<|end_of_text|>", "<eos>", "<sep>", "<|endoftext|>"),
    "mask": ("[MASK]", "<mask>"),
}
"""Role → its possible tokens, in order of preference."""


@dataclass(frozen=True)
class SpecialTokens:
    """The id of each special token, None for one that the tokenizer lacks.

    >>> gpt2 = SpecialTokens.find({"<|endoftext|>": 50256}.get)
    >>> gpt2.end, gpt2.pad
    (50256, None)
    """

    pad: int | None
    unknown: int | None
    begin: int | None
    end: int | None
    mask: int | None = None

    @classmethod
    def find(cls, number_of: Callable[[str], int | None]) -> "SpecialTokens":
        """Look each one up by its names; `number_of` returns None for an unknown token."""
        found = {
            role: next((n for n in map(number_of, tokens) if n is not None), None)
            for role, tokens in CALLED.items()
        }
        return cls(**found)

    def require(self, role: str) -> int:
        """The id of the token of a role; raises `ValueError` naming it if there is none.

        >>> SpecialTokens.find({"[PAD]": 0}.get).require("pad")
        0
        """
        number: int | None = getattr(self, role)
        if number is None:
            raise ValueError(
                f"the tokenizer has no {role} token, which is needed here; it is one of "
                f"{', '.join(CALLED[role])}"
            )
        return number
