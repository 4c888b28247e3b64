"""What text to text learns from its data: one tokenizer, and what stands in front of a text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regard.config import Count, LargeCount, NonNegative
from regard.data.encoding.examples import Reader
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.tokenizer import Tokenizer
from regard.tasks.exchange import said
from regard.tasks.row_coder import Tables, load_tables
from regard.tasks.translate.coder import SOURCE, TextPairs


@dataclass(frozen=True)
class Prompt:
    """Texts as T5 reads them: behind a prefix, with `</s>` at the end.

    >>> tokens = Tokenizer.train(["to do: cab"], "characters")
    >>> Prompt(tokens, "do: ").encode(["ab"]).values.tolist() == [
    ...     *tokens.encode(["do: ab"]).values.tolist(), tokens.end]
    True
    """

    tokens: Tokenizer
    prefix: str

    def encode(self, texts: Sequence[str], longest: int | None = None, /) -> Ragged:
        """The numbers of each text, of which `longest` are wanted at most, and the end."""
        found = self.tokens.encode([self.prefix + text for text in texts], longest)
        values = np.insert(found.values, found.offsets[1:], self.tokens.end)
        return Ragged(values, found.offsets + np.arange(len(found.offsets)))


@dataclass(frozen=True, eq=False)
class PrefixedPairs(TextPairs, Tables):
    """The tokenizer of both texts, and how they are read and written.

    Args:
        prefix: what is put in front of every text that is read.
        before: the token that stands before the first one that is written; `<s>` if None.
    """

    prefix: str = ""
    before: int | None = None

    @property
    def begin(self) -> int:
        """What stands before the first token that is written."""
        return self.target.begin if self.before is None else self.before

    @property
    def reads(self) -> Prompt:
        """What makes numbers of what is read."""
        return Prompt(self.source, self.prefix)

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {
            **super().sizes,
            "vocab": self.embedded or len(self.source),
            "begin": self.begin,
            "ends": (self.target.end,),
        }

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {**super().entries(), "prefix": self.prefix}

    def save(self, folder: Path) -> list[str]:
        """Write the files of the coder and name them."""
        return [*super().save(folder), *self.save_tables(folder)]

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PrefixedPairs":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        tokens = Tokenizer.load(folder / SOURCE)
        kinds = {
            "longest": LargeCount | None,
            "extra_length": Count,
            "length_penalty": NonNegative,
            "prefix": str,
        }
        return cls(tokens, tokens, **said(folder, entries, kinds), **load_tables(folder))

    def _readers(self) -> dict[str, Reader]:
        return {"input": self.reads, "output": self.target}
