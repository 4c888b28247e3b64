"""The formula of attention, written out once more: NumPy in float64, one query at a time.

Nothing here knows `regard`. A score takes one query and all keys, a modification and a mask rule
take numbers, a normalizer takes the scores of the permitted keys only. So there is nothing to mask,
and nothing that is forbidden can come out.
"""

import math
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Score = Callable[[Array, Array], Array]
"""(query [query_dim], keys [k_len, key_dim]) → scores [k_len]"""
Mod = Callable[[float, int, int, int, int], float]
Rule = Callable[[int, int, int, int], bool]
Normalize = Callable[[Array, tuple[int, int, int], Array], Array]
"""(scores of permitted keys, (batch, head, row), their positions) → their weights"""


def attend(
    query: Array,
    key: Array,
    value: Array,
    score: Score,
    normalize: Normalize,
    mod: Mod | None = None,
    rule: Rule | None = None,
    q_offset: int | None = None,
) -> tuple[Array, Array]:
    """Output and weights: score → score_mod → mask → normalize → weighted sum."""
    batch, heads, q_len, _ = query.shape
    kv_heads, k_len, value_dim = value.shape[1:]
    offset = k_len - q_len if q_offset is None else q_offset
    output = np.zeros((batch, heads, q_len, value_dim))
    weights = np.zeros((batch, heads, q_len, k_len))
    for b in range(batch):
        for h in range(heads):
            shared = h // (heads // kv_heads)
            for row in range(q_len):
                at = row + offset
                scores = np.array(score(query[b, h, row], key[b, shared]), dtype=np.float64)
                if mod is not None:
                    scores = np.array([mod(float(s), b, h, at, k) for k, s in enumerate(scores)])
                seen = [k for k in range(k_len) if rule is None or rule(b, h, at, k)]
                seen = np.array([k for k in seen if scores[k] != -math.inf], dtype=np.int64)
                if len(seen) == 0:
                    continue
                found = normalize(scores[seen], (b, h, row), seen)
                for k, weight in zip(seen, found, strict=True):
                    weights[b, h, row, k] = weight
                    output[b, h, row] += weight * value[b, shared, k]
    return output, weights


def softmax(scores: Array, temperature: float = 1.0) -> Array:
    grown = [math.exp((s - max(scores)) / temperature) for s in scores]
    return np.array(grown) / sum(grown)


def softmax_one(scores: Array) -> Array:
    most = max(0.0, *scores)
    grown = [math.exp(s - most) for s in scores]
    return np.array(grown) / (math.exp(-most) + sum(grown))


def entmax(scores: Array, alpha: float) -> Array:
    """Halve the interval of the threshold until float64 has no number between."""
    scaled = (alpha - 1) * (np.asarray(scores) - max(scores))
    low, high = -1.0, 0.0
    for _ in range(70):
        tau = (low + high) / 2
        total = (np.maximum(0.0, scaled - tau) ** (1 / (alpha - 1))).sum()
        low, high = (tau, high) if total >= 1 else (low, tau)
    weights = np.array([max(0.0, s - low) ** (1 / (alpha - 1)) for s in scaled])
    return weights / weights.sum()


def sparsemax(scores: Array) -> Array:
    """Sort, count the support, subtract: the algorithm of the paper."""
    ordered = sorted(scores, reverse=True)
    size = max(n for n in range(1, len(ordered) + 1) if 1 + n * ordered[n - 1] > sum(ordered[:n]))
    tau = (sum(ordered[:size]) - 1) / size
    return np.array([max(0.0, s - tau) for s in scores])


def sigmoid(scores: Array) -> Array:
    return np.array([1 / (1 + math.exp(-s)) for s in scores])


def hard(scores: Array) -> Array:
    best = int(np.argmax(scores))
    return np.array([float(k == best) for k in range(len(scores))])


def top_k(scores: Array, count: int) -> Array:
    best = sorted(range(len(scores)), key=lambda k: -scores[k])[:count]
    weights = np.zeros(len(scores))
    weights[best] = softmax(np.array([scores[k] for k in best]))
    return weights


def share(scores: Array) -> Array:
    total = sum(scores)
    return np.array([s / total if total else 0.0 for s in scores])


def gaussian(center: float, sigma: float, positions: Array) -> Array:
    return np.array([math.exp(-((k - center) ** 2) / (2 * sigma**2)) for k in positions])
