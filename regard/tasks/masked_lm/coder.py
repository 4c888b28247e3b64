"""What filling in learns from its text: tokens, and the text as one stream of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.config import LargeCount, Share
from regard.data.encoding.tokenizer import Tokenizer
from regard.sequences import Sequences
from regard.tasks.batch import Batch
from regard.tasks.exchange import said
from regard.tasks.language_model.coder import RunningText, TextCoder
from regard.tasks.masked_lm.masking import NOT_CHOSEN, Masking
from regard.tasks.row_coder import TOKENIZER, Tables, load_tables


@dataclass(frozen=True, eq=False)
class MaskedTexts(Batch):
    """Texts with hidden tokens, and what these are: -1 where nothing is hidden."""

    source: Sequences
    targets: Int[Tensor, "batch len"]

    @property
    def num_targets(self) -> int:
        """Number of tokens that are to be found."""
        return int((self.targets >= 0).sum())


@dataclass(frozen=True, eq=False)
class HiddenText:
    """A text in blocks, of which some tokens are hidden.

    Args:
        key: what they are drawn by, the seed and the epoch.
        around: special tokens that stand around each block.
    """

    text: RunningText
    around: int
    key: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.text)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each block, all the same."""
        return np.full((len(self), 1), self.text.block + self.around)

    def of_epoch(self, key: tuple[int, int], shift: int) -> "HiddenText":
        """The same text, its first block somewhere else and other tokens hidden."""
        return HiddenText(self.text.shifted(shift), self.around, key)


@dataclass(frozen=True, eq=False)
class MaskedTextCoder(Tables):
    """The tokenizer of a text, and how much of it is read and hidden at once.

    Args:
        block: tokens that are read at once, special ones included.
        share: of them that is hidden.
        whole_words: hide all tokens of a word together.
    """

    tokenizer: Tokenizer
    block: int = 128
    share: float = 0.15
    whole_words: bool = False

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {
            "vocab": self.embedded or len(self.tokenizer),
            "max_length": self.positions or self.block,
        }

    @property
    def longest(self) -> int:
        """Tokens that are read at once."""
        return self.block

    @property
    def reach(self) -> int:
        """The longest sequence that the network reads."""
        return self.block

    @cached_property
    def masking(self) -> Masking:
        """What hides tokens; raises `ValueError` where the tokenizer has no mask."""
        tokenizer = self.tokenizer
        special = {n for n in vars(tokenizer.specials).values() if n is not None}
        ordinary = np.array([n for n in range(len(tokenizer)) if n not in special])
        words = tokenizer.begins_word if self.whole_words else None
        return Masking(self.share, tokenizer.mask, ordinary, words)

    @cached_property
    def texts(self) -> TextCoder:
        """What makes blocks of texts, without what stands around them."""
        around = self.tokenizer.frame.size
        if self.block <= around:
            raise ValueError(
                f"block is {self.block}, and {around} special tokens stand around each; give at "
                f"least {around + 1}"
            )
        return TextCoder(self.tokenizer, self.block - around)

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, HiddenText]:
        """Each split as one stream of tokens, in files under `place`."""
        return self._hidden(self.texts.encode(splits, place))

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, HiddenText]:
        """Open what `encode` wrote."""
        return self._hidden(self.texts.opened(splits, place))

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> HiddenText:
        """Texts as they come from a stream, joined."""
        return HiddenText(self.texts.encode_rows(rows), self.tokenizer.frame.size)

    def collate(self, examples: HiddenText, rows: np.ndarray) -> MaskedTexts:
        """These blocks as a batch."""
        text = examples.text
        blocks = np.asarray(text.stream.blocks(text.starts_of(rows), text.block))
        pairs = [self.masking.masked(block, examples.key) for block in blocks]
        ids, targets = (np.stack(each) for each in zip(*pairs, strict=True))
        frame = self.tokenizer.frame
        around = [np.tile(np.array(n, dtype=np.int64), (len(rows), 1)) for n in frame.single]
        before, behind = (np.full(each.shape, NOT_CHOSEN) for each in around)
        ids = np.concatenate([around[0], ids, around[1]], axis=1)
        targets = np.concatenate([before, targets, behind], axis=1)
        return MaskedTexts(Sequences(torch.from_numpy(ids)), torch.from_numpy(targets))

    def save(self, folder: Path) -> list[str]:
        """Write the tokenizer."""
        self.tokenizer.save(folder / TOKENIZER)
        return [TOKENIZER, *self.save_tables(folder)]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"block": self.block, "share": self.share, "whole_words": self.whole_words}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "MaskedTextCoder":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        kinds = {"block": LargeCount, "share": Share, "whole_words": bool}
        known = said(folder, entries, kinds, list(kinds))
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        return cls(tokenizer, **known, **load_tables(folder))

    def _hidden(self, texts: Mapping[str, RunningText]) -> dict[str, HiddenText]:
        around = self.tokenizer.frame.size
        return {split: HiddenText(text, around) for split, text in texts.items()}
