"""Weights that a module computed itself, with what it computed them from."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regard.capturing.parts import Parts
from regard.capturing.source import Index, Shape, one_item
from regard.capturing.whole import Whole

HIDDEN = -1e4
"""What is lower was hidden: no score is, and half precision goes no further than -65504."""


@dataclass(frozen=True, eq=False)
class WrittenOut:
    """Weights that the module computed itself, and the tensors that it computed them from.

        weights = normalizer(given),   given = scale * query @ key.mT + any added terms

    Args:
        computed: `[B, H, Q, K]`.
        query, key, values: `[B, H, Q, D]`, `[B, H, K, D]` and `[B, H, K, Dv]`; shared axes have
            size 1.
        given: the scores that were normalized, like `computed`; None if only scaled.
    """

    computed: Tensor
    query: Tensor
    key: Tensor
    values: Tensor | None
    given: Tensor | None
    scale: float
    normalizer: str

    is_cheap = True

    @property
    def shape(self) -> Shape:
        return Whole(self.computed).shape

    def weights(self, heads: Index, rows: Index, item: int | None) -> Tensor:
        return Whole(self.computed).weights(heads, rows, item)

    def parts(self, item: int) -> Parts | None:
        query, key, values, given = (
            None if x is None else one_item(x, item)[0]
            for x in (self.query, self.key, self.values, self.given)
        )
        assert query is not None and key is not None
        bias, allowed = (None, None) if given is None else self._added(query, key, given)
        name, numbers = read_normalizer(self.normalizer)
        return Parts(
            query.expand(self.shape[1], -1, -1),
            key,
            values,
            self.scale,
            bias,
            allowed,
            "dot",
            name,
            numbers=numbers,
        )

    def _added(self, query: Tensor, key: Tensor, given: Tensor) -> tuple[Any, Any]:
        """What was added to the products, and which pairs were not hidden."""
        exact = torch.promote_types(given.dtype, torch.float32)
        dots = self.scale * (query.to(exact) @ key.to(exact).mT)
        scores = given.to(exact)
        allowed = scores > HIDDEN
        bias = (scores - dots).masked_fill(~allowed, 0.0)
        largest = float(scores.masked_fill(~allowed, 0.0).abs().amax()) if scores.numel() else 0.0
        rounding = 32 * torch.finfo(given.dtype).eps * max(1.0, largest)
        nothing = not bool((bias.abs() > rounding).any())
        return None if nothing else bias, None if bool(allowed.all()) else allowed


def read_normalizer(spelled: str) -> tuple[str, dict[str, float]]:
    """Its name and its numbers.

    >>> read_normalizer("entmax(1.5)"), read_normalizer("softmax")
    (('entmax', {'alpha': 1.5}), ('softmax', {}))
    """
    name, _, rest = spelled.partition("(")
    return name, {"alpha": float(rest.rstrip(")"))} if rest else {}
