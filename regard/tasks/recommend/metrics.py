"""How good a ranking is: where the wanted item stands, and how often it beats another."""

from collections.abc import Sequence
from math import log2
from typing import Any

import numpy as np
from jaxtyping import Float


def ranking_scores(records: Sequence[dict[str, Any]], top_k: int, labels: int) -> dict[str, float]:
    """The metrics of examples whose `rank` is known, or None for an item that cannot be found.

    Args:
        top_k: how far down a ranking counts.
        labels: how many items the `nll` of an example is a sum over.

    >>> record = {"user": 1, "rank": 1, "nll": 0.5, "own": 0.9, "others": [0.1]}
    >>> scores = ranking_scores([record, {"user": 1, "rank": None}], top_k=10, labels=1)
    >>> scores["ndcg"], scores["loss"], scores["unknown"]
    (0.5, 0.5, 0.5)
    """
    ranks, known = [r["rank"] for r in records], [r for r in records if r["rank"] is not None]
    scores = {"ndcg": ndcg(ranks, top_k), "hit_rate": hit_rate(ranks, top_k)}
    if known:
        own, others = [[r["own"]] for r in known], [r["others"] for r in known]
        area = auc(
            np.array([row[0] for row in own]), np.array([score for row in others for score in row])
        )
        by_user = group_auc([r["user"] for r in known], own, others)
        scores["loss"] = sum(r["nll"] for r in known) / (len(known) * labels)
        scores["auc"] = 0.5 if area is None else area
        scores["gauc"] = 0.5 if by_user is None else by_user
    if len(known) < len(records):
        scores["unknown"] = 1 - len(known) / len(records)
    return scores


def hit_rate(ranks: Sequence[int | None], k: int) -> float:
    """HR@k, the share of wanted items among the first `k`; None is an item that is not ranked.

    >>> hit_rate([1, 3, None, 11], k=10)
    0.5
    """
    return sum(rank is not None and rank <= k for rank in ranks) / max(1, len(ranks))


def ndcg(ranks: Sequence[int | None], k: int) -> float:
    """NDCG@k with one wanted item, the mean of `1 / log2(1 + rank)`, 0 behind the first `k`.

    >>> ndcg([1, 3, None, 11], k=10)
    0.375
    """
    gains = [1 / log2(1 + rank) for rank in ranks if rank is not None and rank <= k]
    return sum(gains) / max(1, len(ranks))


def auc(clicked: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> float | None:
    """How often what was clicked scores above what was not; a tie counts half, None is no pair.

    >>> auc(np.array([0.9, 0.4]), np.array([0.4, 0.1]))
    0.875
    """
    if not len(clicked) or not len(others):
        return None
    both = np.concatenate([clicked, others])
    _, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    # The mean rank of each score, ties sharing theirs (Mann & Whitney's statistic).
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = ranks[: len(clicked)].sum() - len(clicked) * (len(clicked) + 1) / 2
    return float(above / (len(clicked) * len(others)))


def group_auc(
    users: Sequence[int], clicked: Sequence[Sequence[float]], others: Sequence[Sequence[float]]
) -> float | None:
    """GAUC: each user's AUC, weighted by how much was shown to the user.

        GAUC = Σ_u n_u AUC_u / Σ_u n_u

    A user to whom only clicked, or only other items were shown has no AUC and does not count.

    Args:
        users: whom each showing belongs to; a user may have several.
        clicked, others: the scores of what was shown and clicked, and of what was not.

    >>> group_auc([1, 1, 2], [[0.9], [0.2], [0.5]], [[0.3], [], [0.6, 0.4, 0.1]])
    0.595...

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """
    shown: dict[int, tuple[list[float], list[float]]] = {}
    for user, good, bad in zip(users, clicked, others, strict=True):
        mine = shown.setdefault(user, ([], []))
        mine[0].extend(good)
        mine[1].extend(bad)
    found = [(auc(np.array(a), np.array(b)), len(a) + len(b)) for a, b in shown.values()]
    weighed = [(value, count) for value, count in found if value is not None]
    if not weighed:
        return None
    return sum(value * count for value, count in weighed) / sum(count for _, count in weighed)
