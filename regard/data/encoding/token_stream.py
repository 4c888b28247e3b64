"""TokenStream: one long encoded text, of which a language model reads blocks."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from regard.data.encoding.tokenizer import Tokenizer, portions


@dataclass(frozen=True, eq=False)
class TokenStream:
    """The ids of a text as one stream.

    >>> TokenStream(np.arange(9)).blocks(np.array([0, 5]), 3)
    array([[0, 1, 2],
           [5, 6, 7]])
    """

    values: Int[np.ndarray, " n"]

    @classmethod
    def encode(cls, texts: Iterable[str], tokenizer: Tokenizer, path: Path) -> "TokenStream":
        """Write the ids of these texts, joined, to the file `path` and memory-map it.

        The tokenizer should be one of `running` texts. Raises `ValueError` if there is no text.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, work = tempfile.mkstemp(prefix=".encoding-", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                for batch in portions(texts):
                    file.write(tokenizer.encode(batch).values.astype("<i4").tobytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(work, path)
        finally:
            Path(work).unlink(missing_ok=True)
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "TokenStream":
        """Memory-map what `encode` wrote."""
        size = path.stat().st_size
        if not size or size % 4:
            raise ValueError(f"{path} holds no stream of tokens: it has {size} bytes")
        return cls(np.memmap(path, np.int32, mode="r"))

    def __len__(self) -> int:
        return len(self.values)

    def blocks(
        self, offsets: Int[np.ndarray, " batch"], length: int
    ) -> Int[np.ndarray, "batch {length}"]:
        """The `length` ids from each offset.

        Raises `ValueError` when a block would start before the text or end after it.
        """
        last = len(self) - length
        if length < 1 or len(offsets) and not 0 <= offsets.min() <= offsets.max() <= last:
            raise ValueError(
                f"a block of {length} can begin at 0 to {last} of {len(self)} tokens, got offsets "
                f"from {offsets.min(initial=0)} to {offsets.max(initial=0)}"
            )
        return np.asarray(self.values[offsets[:, None] + np.arange(length)])
