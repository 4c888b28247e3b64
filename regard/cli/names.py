"""The names of parts, where text becomes objects: the only tables of strings, and plain ones."""

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from regard._typing import Normalizer, Score, ScoreMod
from regard.cli.mistake import Mistake
from regard.layers import Attend
from regard.masks import SlidingWindow
from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    LearnedEntmax,
    Sink,
    TopK,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
)
from regard.score_mods import ALiBi, RelativeBias, SoftCap
from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatTanhSum,
    Cosine,
    Dot,
    InverseDistance,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)

SCORES: dict[str, Callable[[int, int, int], Score]] = {
    "scaled_dot": lambda query, key, hidden: ScaledDot(),
    "dot": lambda query, key, hidden: Dot(),
    "general": lambda query, key, hidden: Bilinear(query, key),
    "cosine": lambda query, key, hidden: Cosine(temperature=0.1),
    "additive": lambda query, key, hidden: Additive(query, key, hidden),
    "luong_concat": lambda query, key, hidden: LuongConcat(query, key, hidden),
    "concat_tanh_sum": lambda query, key, hidden: ConcatTanhSum(query, key, hidden),
    "mlp": lambda query, key, hidden: MLP(
        query, key, variant="official" if query == key else "paper"
    ),
    "squared_distance": lambda query, key, hidden: NegativeSquaredDistance(),
    "inverse_distance": lambda query, key, hidden: InverseDistance(),
}
"""Name → score, from the widths of query, key and hidden layer."""

NORMALIZERS: dict[str, Callable[[int], Normalizer]] = {
    "softmax": lambda heads: softmax,
    "sink": lambda heads: Sink(heads),
    "softmax_one": lambda heads: softmax_one,
    "sparsemax": lambda heads: sparsemax,
    "entmax": lambda heads: Entmax(1.5),
    "learned_entmax": lambda heads: LearnedEntmax(heads),
    "sigmoid": lambda heads: sigmoid,
    "gumbel_softmax": lambda heads: GumbelSoftmax(),
    "top_k": lambda heads: TopK(8),
}
"""Name → normalizer, from the number of heads."""

SCORE_MODS: dict[str, Callable[[int], ScoreMod | None]] = {
    "none": lambda heads: None,
    "alibi": lambda heads: ALiBi(heads),
    "relative_bias": lambda heads: RelativeBias(heads),
    "soft_cap": lambda heads: SoftCap(30.0),
}
"""Name → score modification, from the number of heads."""

SYNONYMS = {
    "bahdanau": "additive",
    "luong": "general",
    "multiplicative": "general",
    "bilinear": "general",
    "dot_product": "scaled_dot",
    "entmax15": "entmax",
    "t5": "relative_bias",
}
"""What people also call them; a name that is not in the table points to the one that is."""


def chosen(kind: str, name: str, table: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    """The entry of a table; raises `Mistake` with the nearest names for one that is not there."""
    if name in table:
        return table[name]
    raise Mistake(f"there is no {kind} {name!r}: {hint(name, table)}")


def hint(name: str, known: Collection[str]) -> str:
    """The names that may have been meant, at most three; all of them when none is near.

    >>> hint("bahdanau", SCORES), hint("prenorm", ["post", "pre"])
    ('did you mean additive?', 'did you mean pre?')
    """
    words = [*known, *(word for word, meant in SYNONYMS.items() if meant in known)]
    near = [SYNONYMS.get(word, word) for word in get_close_matches(name, words, 3, 0.4)]
    return (
        f"did you mean {' or '.join(list(dict.fromkeys(near))[:3])}?" if near else ", ".join(known)
    )


def attend_of(
    head_dim: int,
    heads: int,
    *,
    score: str,
    normalizer: str,
    score_mod: str = "none",
    window: int = 0,
    dropout: float = 0.0,
) -> Attend:
    """The operator with the named parts, for heads of one width."""
    return Attend(
        score=chosen("score", score, SCORES)(head_dim, head_dim, head_dim),
        score_mod=chosen("score_mod", score_mod, SCORE_MODS)(heads),
        mask=SlidingWindow(window, window) if window else None,
        normalizer=chosen("normalizer", normalizer, NORMALIZERS)(heads),
        dropout=dropout,
    )


def pooling(parts: Mapping[str, Any], width: int) -> Attend:
    """The operator of a pool that compares a learned query with keys of this width."""
    return attend_of(
        width,
        1,
        score=parts.get("score", "dot"),
        normalizer=parts.get("normalizer", "softmax"),
    )
