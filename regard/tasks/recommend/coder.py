"""What recommendation learns from its data: the items, and what is known of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from regard.config import Count, LargeCount
from regard.data.encoding.catalogue import NO_ITEM, Catalogue
from regard.data.encoding.histories import Prefixes, all_prefixes, histories
from regard.data.encoding.interactions import held_out_examples
from regard.sequences import Sequences
from regard.tasks.batch import Batch, sequences_of
from regard.tasks.exchange import said
from regard.tasks.recommend.losses import LOSSES

CATALOGUE = "items.json"


@dataclass(frozen=True, eq=False)
class Offers(Batch):
    """Histories and what is offered to each: the item that was chosen, then some that were not."""

    history: Sequences
    candidate: Int[Tensor, "batch n"]

    @property
    def num_targets(self) -> int:
        """Number of items offered."""
        return self.candidate.numel()

    @property
    def num_tokens(self) -> int:
        """Items read and offered."""
        return self.history.num_tokens + self.candidate.numel()

    @property
    def num_padded_tokens(self) -> int:
        """The same with padding."""
        return self.history.num_cells + self.candidate.numel()


@dataclass(frozen=True, eq=False)
class ItemCoder:
    """The items that can be recommended.

    Args:
        longest: how many items of a history are read, the last ones.
        top_k: how many items are recommended, and how far down a ranking counts.
        loss: what the network was trained by, if that was chosen (see `loss_for`).
    """

    catalogue: Catalogue
    longest: int = 50
    top_k: int = 10
    loss: str | None = None

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        known = self.catalogue
        return {
            "items": len(known),
            "values": len(known.values),
            "feature_columns": known.features.shape[1],
            "first_item": known.first_item,
        }

    @property
    def features(self) -> Int[Tensor, "items columns"]:
        """What is known of each item, as a network takes it."""
        return torch.from_numpy(np.ascontiguousarray(self.catalogue.features))

    def encode(self, splits: Mapping[str, Any], place: Path) -> dict[str, Prefixes]:
        """The examples of every split, those held out of the training part among them.

        They are kept in memory: `place` is not needed.
        """
        return held_out_examples(splits, self.catalogue)

    def opened(self, splits: Mapping[str, Any], place: Path) -> dict[str, Prefixes]:
        """The same again."""
        return held_out_examples(splits, self.catalogue)

    def encode_rows(self, rows: Sequence[Mapping[str, str]]) -> Prefixes:
        """Every item in some interactions that has a history before it there."""
        names = ("user", "item", "rating", "timestamp")
        columns = (tuple(row[name] for name in names) for row in rows)
        return all_prefixes(histories(columns, catalogue=self.catalogue))

    def collate(
        self, examples: Prefixes, rows: np.ndarray, beside: np.ndarray | None = None
    ) -> Offers:
        """These examples as a batch.

        Args:
            beside: what is offered to each besides the item that was chosen.
        """
        history = sequences_of(examples.take(rows, self.longest), NO_ITEM)
        candidate = examples.targets[rows, None]
        if beside is not None:
            candidate = np.concatenate([candidate, beside], axis=1)
        return Offers(history, torch.from_numpy(candidate.astype(np.int64)))

    def save(self, folder: Path) -> list[str]:
        """Write the file into an existing folder."""
        self.catalogue.save(folder / CATALOGUE)
        return [CATALOGUE]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"longest": self.longest, "top_k": self.top_k, "loss": self.loss}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "ItemCoder":
        """Load what `save` wrote; raises `ValueError` when the file is damaged."""
        kinds = {"longest": LargeCount, "top_k": Count, "loss": Literal[*LOSSES] | None}
        # Version 0.1 called it `top`, and knew no choice of loss.
        entries = {"top_k": entries["top"], **entries} if "top" in entries else entries
        known = said(folder, entries, kinds, ["longest", "top_k"])
        return cls(Catalogue.load(folder / CATALOGUE), **known)
