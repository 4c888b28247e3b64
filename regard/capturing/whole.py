"""Weights that were computed by who attended, as they are."""

from dataclasses import dataclass

from torch import Tensor

from regard.capturing.parts import Parts
from regard.capturing.source import Index, Shape


@dataclass(frozen=True, eq=False)
class Whole:
    """Weights that the module computed itself, `[B, H, Q, K]`."""

    computed: Tensor

    is_cheap = True

    @property
    def shape(self) -> Shape:
        batch, heads, q_len, k_len = self.computed.shape
        return batch, heads, q_len, k_len

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        found = self.computed if item is None else self.computed[item : item + 1]
        if heads is not None:
            found = found.index_select(1, heads.to(found.device))
        return found if rows is None else found.index_select(2, rows.to(found.device))

    def parts(self, item: int) -> Parts | None:
        return None
