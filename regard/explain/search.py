"""Which head attends from here to there?"""

from collections.abc import Iterable
from dataclasses import dataclass

from regard.explain._layers import Layers, positions_in, read_layers


@dataclass(frozen=True, order=True)
class FoundHead:
    """A head, and the mean weight that the queries put on the keys."""

    score: float
    layer: int
    head: int


def heads_where(
    weights: Layers, queries: Iterable[int], keys: Iterable[int], *, item: int = 0, top: int = 10
) -> tuple[FoundHead, ...]:
    """The heads in which some queries attend to some keys, the strongest first.

        score = mean over the queries of Σ_{k in keys} w_qk

    Args:
        queries: the rows; negative ones count from the end.
        keys: the columns.
        item: index in the batch.
        top: maximum number of heads.

    Raises:
        ValueError, TypeError, IndexError: not weights; no queries or keys, or ones that do not
            exist; no such item.

    Example:
        >>> import torch
        >>> w = torch.stack([torch.full((2, 2), 0.5), torch.eye(2)])[None, None]
        >>> heads_where(w, queries=[1], keys=[1])
        (FoundHead(score=1.0, layer=0, head=1), FoundHead(score=0.5, layer=0, head=0))
    """
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise ValueError(f"heads_where needs top of at least 1, got {top!r}.")
    rows, columns, found = list(queries), list(keys), []
    for number, layer in enumerate(read_layers("heads_where", weights)):
        one = layer[positions_in("heads_where", "item", [item], len(layer))[0]].detach()
        q = sorted(set(positions_in("heads_where", "queries", rows, one.shape[1])))
        k = sorted(set(positions_in("heads_where", "keys", columns, one.shape[2])))
        scores = one[:, q][:, :, k].sum(-1).mean(-1).tolist()
        found += [FoundHead(score, number, head) for head, score in enumerate(scores)]
    found.sort(key=lambda each: (-each.score, each.layer, each.head))
    return tuple(found[:top])
