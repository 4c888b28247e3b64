"""How well candidates are ranked: mean average precision and mean reciprocal rank."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int


def ranking(groups: Sequence[Sequence[tuple[float, bool]]]) -> dict[str, float]:
    """MAP and MRR of candidates, each with its score and whether it is right; {} without any.

    Average precision is the mean over right candidates of the share of right ones among all down to
    it; reciprocal rank is 1 / the place of the first right one. As for WikiQA, a group counts only
    if it has right and wrong candidates. Of equal scores the wrong come first.

    >>> ranking([[(0.9, False), (0.8, True), (0.1, True)], [(0.3, True)]])
    {'map': 0.5833333333333333, 'mrr': 0.5}
    """
    precisions, first = [], []
    for group in groups:
        right = [is_right for _, is_right in sorted(group, key=lambda each: (-each[0], each[1]))]
        if all(right) or not any(right):
            continue
        places = np.flatnonzero(right) + 1
        precisions.append(float((np.arange(1, len(places) + 1) / places).mean()))
        first.append(1 / int(places[0]))
    if not precisions:
        return {}
    return {"map": float(np.mean(precisions)), "mrr": float(np.mean(first))}


def ranked_records(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """MAP and MRR of the records that have a label, grouped by their left sentences."""
    groups: dict[str, list[tuple[float, bool]]] = {}
    for record in records:
        if "group" in record and record["target"] >= 0:
            candidate = (record["match"], record["target"] == 1)
            groups.setdefault(record["group"], []).append(candidate)
    return ranking(list(groups.values()))


def digest(tokens: Int[np.ndarray, " len"]) -> str:
    """The same for the same sentence, in every process."""
    return hashlib.blake2b(tokens.astype("<i8").tobytes(), digest_size=8).hexdigest()
