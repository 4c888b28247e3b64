"""Every part of the operator in one table per role: how to make it, and what it means in NumPy.

A row takes the sizes of a call and returns the part and its meaning as `tests.golden` wants it.
Masks and score modifications have their tables with their contracts. A mechanism adds one row.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from regard import normalizers, scores
from tests import golden
from tests.contracts.test_masks import MASKS
from tests.contracts.test_score_mods import MODS


def shown(parts: object) -> str:
    """A test's name from its parts, the same in every process: functions without their address."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(parts))


class Sizes(NamedTuple):
    """What a call is made of."""

    batch: int = 2
    heads: int = 4
    kv_heads: int = 2
    q_len: int = 5
    k_len: int = 7
    width: int = 3
    value_dim: int = 4

    @property
    def pairs(self) -> tuple[int, int, int, int]:
        """Return what the tables of masks and score modifications ask for."""
        return self.batch, self.heads, self.q_len, self.k_len


def tensors(
    sizes: Sizes, key_width: int | None = None, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw query, key and value from N(0, 1)."""
    s = sizes
    return (
        torch.randn(s.batch, s.heads, s.q_len, s.width, dtype=dtype),
        torch.randn(s.batch, s.kv_heads, s.k_len, s.width if key_width is None else key_width).to(
            dtype
        ),
        torch.randn(s.batch, s.kv_heads, s.k_len, s.value_dim, dtype=dtype),
    )


def _numbers(tensor: Tensor | None) -> np.ndarray:
    return np.asarray(tensor.detach().double().cpu().numpy() if tensor is not None else 1.0)


def _randomized(module: nn.Module) -> Any:
    """Let no weight be zero or one by its initialization."""
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


MadeScore = tuple[Any, golden.Score]


def _scale(sizes: Sizes) -> MadeScore:
    return scores.ScaledDot(), lambda q, k: k @ q / math.sqrt(sizes.width)


def _bilinear(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.Bilinear(sizes.width, sizes.width))
    weight = _numbers(part.weight)
    return part, lambda q, k: np.array([q @ weight @ key for key in k])


def _cosine(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    return k @ q / (np.linalg.norm(k, axis=-1) * np.linalg.norm(q)) / 0.3


def _bare_additive(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    return np.tanh(k + q).sum(-1)


def _additive(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.Additive(sizes.width, sizes.width, 6))
    w, u, v = (_numbers(x) for x in (part.query_weight, part.key_weight, part.v))
    return part, lambda q, k: np.array([v @ np.tanh(w @ q + u @ key) for key in k])


def _luong_concat(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.LuongConcat(sizes.width, sizes.width, 6))
    w, v = _numbers(part.weight), _numbers(part.v)
    return part, lambda q, k: np.array([v @ np.tanh(w @ np.concatenate([q, key])) for key in k])


def _luong_official(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.LuongConcat(sizes.width, sizes.width, sizes.width, "official"))
    w, v = _numbers(part.weight), _numbers(part.v)
    return part, lambda q, k: np.array([v @ np.tanh(w @ q + key) for key in k])


def _concat_linear(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.ConcatLinear(sizes.width, sizes.width, sizes.k_len + 1))
    w, b = _numbers(part.weight), _numbers(part.bias)
    return part, lambda q, k: np.array(
        [w[j] @ np.concatenate([q, key]) + b[j] for j, key in enumerate(k)]
    )


def _concat_relu(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.ConcatReLU(sizes.width, sizes.width))
    w = _numbers(part.weight)[0]
    return part, lambda q, k: np.array([max(w @ np.concatenate([q, key]), 0.0) for key in k])


def _concat_tanh_sum(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.ConcatTanhSum(sizes.width, sizes.width, 6))
    w, b = _numbers(part.weight), _numbers(part.bias)
    return part, lambda q, k: np.array(
        [np.tanh(w @ np.concatenate([q, key]) + b).sum() for key in k]
    )


def _gatv2(slope: float) -> Callable[[Sizes], MadeScore]:
    def make(sizes: Sizes) -> MadeScore:
        part = _randomized(scores.GATv2(sizes.width, sizes.width, 6, slope))
        w, u, v = (_numbers(x) for x in (part.query_weight, part.key_weight, part.v))

        def one(q: np.ndarray, k: np.ndarray) -> float:
            hidden = w @ q + u @ k
            return v @ np.where(hidden > 0, hidden, slope * hidden)

        return part, lambda q, k: np.array([one(q, key) for key in k])

    return make


def _location(sizes: Sizes) -> MadeScore:
    part = _randomized(scores.Location(sizes.width, sizes.k_len + 1))
    w = _numbers(part.weight)
    return part, lambda q, k: np.array([w[j] @ q for j in range(len(k))])


def _mlp(variant: str) -> Callable[[Sizes], MadeScore]:
    def make(sizes: Sizes) -> MadeScore:
        part = _randomized(scores.MLP(sizes.width, sizes.width, (6, 5), variant))
        first, second = _numbers(part.weight), _numbers(part.deeper[0])
        biases, v = [_numbers(part.bias), _numbers(part.biases[0])], _numbers(part.v)
        slopes = [_numbers(slope) for slope in part.slopes]

        def activated(x: np.ndarray, depth: int) -> np.ndarray:
            if variant == "official":
                return 1 / (1 + np.exp(-x))
            return np.where(x > 0, x, slopes[depth] * x)

        def one(q: np.ndarray, k: np.ndarray) -> float:
            shared = [np.outer(q, k).ravel()] if variant == "paper" else [q - k, q * k]
            hidden = activated(first @ np.concatenate([q, k, *shared]) + biases[0], 0)
            score = v @ activated(second @ hidden + biases[1], 1)
            return score if variant == "paper" else score / math.sqrt(len(k))

        return part, lambda q, k: np.array([one(q, key) for key in k])

    return make


def _elu_plus_one(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0))) + 1


LEARNED = nn.Parameter(torch.tensor(1.7, dtype=torch.float64))
"""A scalar that scores share, as one learned number in a model may be shared."""

SCORES: dict[str, Callable[[Sizes], MadeScore]] = {
    "Dot": lambda _: (scores.Dot(), lambda q, k: k @ q),
    "ScaledDot": _scale,
    "ScaledDot given": lambda _: (scores.ScaledDot(1.7), lambda q, k: 1.7 * (k @ q)),
    "ScaledDot negative": lambda _: (scores.ScaledDot(-0.8), lambda q, k: -0.8 * (k @ q)),
    "ScaledDot learned": lambda _: (scores.ScaledDot(LEARNED), lambda q, k: 1.7 * (k @ q)),
    "Bilinear": _bilinear,
    "Cosine": lambda _: (scores.Cosine(0.3), _cosine),
    "Cosine learned": lambda _: (
        scores.Cosine(LEARNED),
        lambda q, k: _cosine(q, k) * 0.3 / 1.7,
    ),
    "Additive": _additive,
    "Additive bare": lambda _: (scores.Additive(), _bare_additive),
    "LuongConcat": _luong_concat,
    "LuongConcat official": _luong_official,
    "ConcatLinear": _concat_linear,
    "ConcatReLU": _concat_relu,
    "ConcatTanhSum": _concat_tanh_sum,
    "GATv2": _gatv2(0.2),
    "GATv2 relu": _gatv2(0.0),
    "Location": _location,
    "MLP": _mlp("official"),
    "MLP paper": _mlp("paper"),
    "NegativeSquaredDistance": lambda _: (
        scores.NegativeSquaredDistance(),
        lambda q, k: -((k - q) ** 2).sum(-1),
    ),
    "InverseDistance": lambda _: (
        scores.InverseDistance(),
        lambda q, k: 1 / (1 + np.sqrt(((k - q) ** 2).sum(-1))),
    ),
    "InverseDistance learned": lambda _: (
        scores.InverseDistance(LEARNED),
        lambda q, k: 1 / (1 + np.sqrt(((k - q) ** 2).sum(-1) + 1.7)),
    ),
    "FeatureMapDot": lambda _: (
        scores.FeatureMapDot(),
        lambda q, k: _elu_plus_one(k) @ _elu_plus_one(q),
    ),
}

MadeNormalizer = tuple[Any, golden.Normalize | None]


def _plain(
    part: Any, rule: Callable[[np.ndarray], np.ndarray]
) -> Callable[[Sizes], MadeNormalizer]:
    return lambda _: (part, lambda s, at, seen: rule(s))


def _learned(shared: bool) -> Callable[[Sizes], MadeNormalizer]:
    def make(sizes: Sizes) -> MadeNormalizer:
        part = normalizers.LearnedEntmax(None if shared else sizes.heads).double()
        with torch.no_grad():
            part.a.copy_(torch.randn(part.a.shape))
        alpha = 1 + 1 / (1 + np.exp(-_numbers(part.a)))
        return part, lambda s, at, seen: golden.entmax(s, float(alpha if shared else alpha[at[1]]))

    return make


def _local(window: float | None, *kept: bool) -> Callable[[Sizes], MadeNormalizer]:
    def make(sizes: Sizes) -> MadeNormalizer:
        full = (sizes.batch, sizes.heads, sizes.q_len)
        shape = [size if keep else 1 for size, keep in zip(full, kept, strict=True)]
        center = torch.rand(shape, dtype=torch.float64) * sizes.k_len
        centers = _numbers(center.expand(full))

        def normalize(s: np.ndarray, at: tuple[int, int, int], seen: np.ndarray) -> np.ndarray:
            place = centers[at]
            near = np.abs(seen - place) <= (math.inf if window is None else window)
            weights = np.zeros(len(s))
            if near.any():
                weights[near] = golden.softmax(s[near])
            return weights * golden.gaussian(place, 1.5, seen)

        return normalizers.LocalGaussian(center, 1.5, window), normalize

    return make


def _sink(sizes: Sizes) -> MadeNormalizer:
    part = normalizers.Sink(sizes.heads).double()
    with torch.no_grad():
        part.sink.copy_(torch.randn(part.sink.shape))
    sinks = _numbers(part.sink)
    return part, lambda s, at, seen: golden.softmax(np.append(s, sinks[at[1]]))[:-1]


NORMALIZERS: dict[str, Callable[[Sizes], MadeNormalizer]] = {
    "softmax": _plain(normalizers.softmax, golden.softmax),
    "Softmax": _plain(normalizers.Softmax(0.4), lambda s: golden.softmax(s, 0.4)),
    "softmax_one": _plain(normalizers.softmax_one, golden.softmax_one),
    "Sink": _sink,
    "sparsemax": _plain(normalizers.sparsemax, golden.sparsemax),
    "Entmax": _plain(normalizers.Entmax(), lambda s: golden.entmax(s, 1.5)),
    "Entmax 1.2": _plain(normalizers.Entmax(1.2), lambda s: golden.entmax(s, 1.2)),
    "Entmax 2": _plain(normalizers.Entmax(2.0), golden.sparsemax),
    "Entmax 3": _plain(normalizers.Entmax(3.0), lambda s: golden.entmax(s, 3.0)),
    "LearnedEntmax": _learned(shared=True),
    "LearnedEntmax per head": _learned(shared=False),
    "sigmoid": _plain(normalizers.sigmoid, golden.sigmoid),
    "hard": _plain(normalizers.hard, golden.hard),
    "Hard": _plain(normalizers.Hard(straight_through=True), golden.hard),
    "TopK": _plain(normalizers.TopK(3), lambda s: golden.top_k(s, 3)),
    "LocalGaussian": _local(None, True, True, True),
    "LocalGaussian rows": _local(None, False, False, True),
    "LocalGaussian window": _local(2.0, True, True, True),
    "divide_by_sum": _plain(normalizers.divide_by_sum, golden.share),
    "unnormalized": _plain(normalizers.unnormalized, lambda s: s),
    "divide_by_count": _plain(normalizers.divide_by_count, lambda s: s / len(s)),
    # Seeded draws: every backend draws the same, but NumPy does not.
    "Sample": lambda _: (normalizers.Sample(seed=3), None),
    "GumbelSoftmax": lambda _: (normalizers.GumbelSoftmax(0.7, seed=3), None),
    "GumbelSoftmax hard": lambda _: (normalizers.GumbelSoftmax(0.7, hard=True, seed=3), None),
}
POSITIVE = ("FeatureMapDot", "InverseDistance", "InverseDistance learned")
"""Scores that are never negative, which `divide_by_sum` wants: a sum near zero tests nothing."""


def suits(score: str, normalizer: str) -> bool:
    """Say whether the pair can be compared numerically at all."""
    # Many a score of ConcatReLU is 0, and which of equal ones is kept is not said.
    chooses = normalizer.startswith(("TopK", "hard", "Hard"))
    return (normalizer != "divide_by_sum" or score in POSITIVE) and not (
        score == "ConcatReLU" and chooses
    )


# Rows of these belong to the call's queries, whatever position these have.
CALL_ROWS = ("Dense", "Bias", "Document cross", "KeyCounts")


def mask_and_rule(name: str, sizes: Sizes, offset: int) -> tuple[Any, golden.Rule]:
    """Make a mask and its rule for absolute positions of a call with this offset."""
    # Positions reach `offset + q_len`, which is what the table calls the number of queries.
    span = sizes.q_len if name.startswith(CALL_ROWS) else max(sizes.q_len, sizes.q_len + offset)
    mask, rule = MASKS[name](sizes.batch, sizes.heads, span, sizes.k_len)
    if name.startswith(CALL_ROWS):
        return mask, lambda b, h, q, k: rule(b, h, q - offset, k)
    return mask, rule


def mod_and_rule(name: str, sizes: Sizes, offset: int) -> tuple[Any, golden.Mod]:
    """Make a score modification and its meaning for absolute positions."""
    mod, rule = MODS[name](*sizes.pairs)
    if name.startswith(CALL_ROWS):
        return mod, lambda s, b, h, q, k: rule(s, b, h, q - offset, k)
    if name.startswith("RelativeDot"):  # its rows, too, but distances between positions
        return mod, lambda s, b, h, q, k: rule(s, b, h, q - offset, k - offset)
    return mod, rule


_MASKS, _MODS = [None, *MASKS], [None, *MODS]
MASKS_AND_MODS = sorted(
    {(mask, None) for mask in _MASKS}
    | {(mask, _MODS[1 + n % len(MODS)]) for n, mask in enumerate(_MASKS)}
    | {(mask, mod) for mask in (None, "Causal", "Dense 3-d") for mod in _MODS},
    key=str,
)
"""Every mask and every score modification alone and in company, without all pairs of them."""
