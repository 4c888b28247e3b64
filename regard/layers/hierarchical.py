"""Words form sentences, sentences form documents: encode and pool each ragged level."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers.part_module import own
from regard.layers.pool import Pool
from regard.masks import Padding

WASTE, SLACK = 0.3, 3


class Level(nn.Module):
    """Groups of items, such as the words of sentences: each group is encoded and pooled.

    Groups of similar length are padded together, so that a long group costs the short ones little:
    at most 3 positions of a group, or 30 %, are padding. The result does not depend on this. An
    empty group gives zeros.

    Args:
        encoder: called with `[groups, items, width]` and the lengths `[groups]`; None uses the
            items as they are. Its output at padding is ignored, but must be finite.
        pool: such as `AttentionPool` or `MeanPool`; vectors of several queries are concatenated.

    Example:
        >>> from regard.layers import AttentionPool
        >>> level = Level(None, AttentionPool(4))
        >>> level(torch.randn(7, 4), torch.tensor([3, 0, 4])).shape
        torch.Size([3, 4])
    """

    def __init__(self, encoder: nn.Module | None, pool: Pool) -> None:
        super().__init__()
        self.encoder, self.pool = encoder, own(pool)

    def forward(
        self,
        values: Float[Tensor, "items width"],
        lengths: Int[Tensor, " groups"],
        most: int | None = None,
    ) -> Float[Tensor, "groups pooled_width"]:
        """Raises `ValueError` unless the lengths say how many items there are.

        Args:
            most: an upper bound on the items of a group, to which an exported program pads.
        """
        found, order = [], []
        for groups, _, x, mask in self._encoded(values, lengths, most):
            found.append(
                rearrange(self.pool(x, mask), "rows queries width -> rows (queries width)")
            )
            order.append(groups)
        pooled = torch.cat(found).index_select(0, torch.cat(order).argsort())
        return pooled.masked_fill(rearrange(lengths == 0, "groups -> groups 1"), 0.0)

    def weights(
        self, values: Float[Tensor, "items width"], lengths: Int[Tensor, " groups"]
    ) -> Float[Tensor, "items queries"]:
        """The weight of each item in its group."""
        found, order = [], []
        for _, items, x, mask in self._encoded(values, lengths):
            weights = self.pool.weights(x, mask)
            real = items < len(values)
            found.append(rearrange(weights, "rows queries items -> rows items queries")[real])
            order.append(items[real])
        return torch.cat(found).index_select(0, torch.cat(order).argsort())

    def _encoded(
        self, values: Tensor, lengths: Tensor, most: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Padding]]:
        """Some groups at a time: which ones, the numbers of their items, and these, encoded."""
        if most is not None and torch.compiler.is_exporting():
            yield self._all_encoded(values, lengths, most)
            return
        if int(lengths.sum()) != len(values):
            raise ValueError(
                f"the lengths {_listed(lengths)} add up to {int(lengths.sum())}, but there are "
                f"{len(values)} items"
            )
        starts = lengths.cumsum(0) - lengths
        padded = F.pad(values, (0, 0, 0, 1))
        for groups in of_similar_length(lengths):
            some = lengths[groups]
            longest = max(1, int(some.max()) if len(some) else 0)
            place = torch.arange(longest, device=lengths.device)
            items = rearrange(starts[groups], "rows -> rows 1") + place
            items = items.masked_fill(place >= rearrange(some, "rows -> rows 1"), len(values))
            x = F.embedding(items, padded)
            yield groups, items, x if self.encoder is None else self.encoder(x, some), Padding(some)

    def _all_encoded(
        self, values: Tensor, lengths: Tensor, most: int
    ) -> tuple[Tensor, Tensor, Tensor, Padding]:
        """All groups padded to the greatest length: no shape depends on what they hold."""
        torch._check(lengths.shape[0] >= 1)
        place = torch.arange(most, device=lengths.device)
        items = rearrange(lengths.cumsum(0) - lengths, "rows -> rows 1") + place
        items = items.masked_fill(place >= rearrange(lengths, "rows -> rows 1"), values.shape[0])
        x = F.embedding(items, F.pad(values, (0, 0, 0, 1)))
        groups = torch.arange(lengths.shape[0], device=lengths.device)
        x = x if self.encoder is None else self.encoder(x, lengths)
        return groups, items, x, Padding(lengths)


class Hierarchical(nn.Module):
    """Stacked levels: the vector of a group is an item of the next level.

        s = pool(encode(words of a sentence))        d = pool(encode(sentences of a document))

    Any number of levels. Nothing is padded to the maximum: neither sentences to the longest
    sentence nor documents to the one with the most sentences. `split_sentences` splits rows of
    tokens.

    Args:
        levels: from the smallest items up, such as words, then sentences.

    Raises:
        ValueError: there is no level, a call lacks the lengths of some level, or they do not fit
            together.

    Example:
        >>> from regard.layers import AttentionPool
        >>> words, sentences = Level(None, AttentionPool(4)), Level(None, AttentionPool(4))
        >>> documents = Hierarchical([words, sentences])
        >>> lengths = (torch.tensor([3, 1, 2, 5]), torch.tensor([3, 0, 1]))
        >>> documents(torch.randn(11, 4), lengths).shape
        torch.Size([3, 4])
        >>> [tuple(weights.shape) for weights in documents.weights(torch.randn(11, 4), lengths)]
        [(11, 1), (4, 1)]

    References:
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    def __init__(self, levels: Iterable[Level]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(levels)
        if not len(self.levels):
            raise ValueError("a hierarchy needs at least one level, got none")

    def __iter__(self) -> Iterator[Any]:
        return iter(self.levels)

    def forward(
        self,
        values: Float[Tensor, "items width"],
        lengths: Sequence[Int[Tensor, " _"]],
        most: int | None = None,
    ) -> Float[Tensor, "groups pooled_width"]:
        """The vector of each group of the last level; `lengths` has those of every level.

        Args:
            most: an upper bound on the items of any group, to which an exported program pads.
        """
        for level, sizes in zip(self, self._checked(lengths), strict=True):
            values = level(values, sizes, most)
        return values

    def weights(
        self, values: Float[Tensor, "items width"], lengths: Sequence[Int[Tensor, " _"]]
    ) -> tuple[Float[Tensor, "_ _"], ...]:
        """For each level, the weight of each item in its group, `[items, queries]`."""
        found: list[Tensor] = []
        for level, sizes in zip(self, self._checked(lengths), strict=True):
            found.append(level.weights(values, sizes))
            values = level(values, sizes)
        return tuple(found)

    def _checked(self, lengths: Sequence[Tensor]) -> Sequence[Tensor]:
        if len(lengths) != len(self.levels):
            raise ValueError(f"{len(self.levels)} levels need as many lengths, got {len(lengths)}")
        return lengths


def of_similar_length(lengths: Int[Tensor, " groups"]) -> list[Int[Tensor, " _"]]:
    """The indices of the groups, batched so that padding each batch to one length wastes little.

    >>> of_similar_length(torch.tensor([2, 50, 1, 40, 3]))
    [tensor([1, 3]), tensor([4, 0, 2])]
    """
    order = lengths.argsort(descending=True, stable=True)
    sizes = lengths[order].tolist()
    found: list[Tensor] = []
    start = 0
    while start < len(sizes) or not found:
        least = min(sizes[start] * (1 - WASTE), sizes[start] - SLACK) if sizes else 0
        end = bisect_left(sizes, True, lo=start, key=lambda size: size < least)
        found.append(order[start:end])
        start = end
    return found


def _listed(lengths: Tensor) -> str:
    """Lengths as a sentence can name them."""
    shown = ", ".join(str(size) for size in lengths[:6].tolist())
    return f"[{shown}{', ...' if len(lengths) > 6 else ''}]"
