"""One call of the operator, checked, as every backend receives it.

Axis legend for this folder: B batch, H query heads, G key/value heads, Q queries, K keys, D width,
V value width.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from regard._backends._held import is_ours, tensors_of
from regard._pairwise import Offset
from regard._torch_private import is_jit_traced, is_ordinary, is_static
from regard._typing import MaskMod, Normalizer, Score, ScoreMod
from regard.masks import And, Not, Or

Kernel = Callable[[Tensor, Tensor, Tensor, Any], Tensor | None]
"""All that is left to do for calls of one form, given query, key, value and the mask as it was
passed; None from it asks for more care.
"""


@dataclass(eq=False)
class Call:
    """Tensors and parts of one call. Nobody changes one; freezing it would cost a microsecond."""

    query: Tensor
    key: Tensor
    value: Tensor
    score: Score
    score_mod: ScoreMod | None
    mask: MaskMod | None
    normalizer: Normalizer
    dropout: float
    q_offset: Offset

    @property
    def q_len(self) -> int:
        return self.query.shape[-2]

    @property
    def k_len(self) -> int:
        return self.key.shape[-2]

    @property
    def lead(self) -> int:
        """How many heads there are in all sequences together."""
        return self.query.shape[0] * self.query.shape[1]

    @property
    def groups(self) -> int:
        """How many query heads share one key/value head."""
        return self.query.shape[1] // self.key.shape[1] if self.key.shape[1] else 1

    @property
    def exact(self) -> torch.dtype:
        """The dtype to accumulate in: float32, or float64 if the inputs are."""
        return torch.promote_types(self.query.dtype, torch.float32)

    @property
    def parts(self) -> tuple[object, ...]:
        return self.score, self.score_mod, self.mask, self.normalizer

    @property
    def needs_grad(self) -> bool:
        tensors = (self.query, self.key, self.value)
        return torch.is_grad_enabled() and (
            any(tensor.requires_grad for tensor in tensors) or self.parts_need_grad
        )

    @property
    def parts_need_grad(self) -> bool:
        """Whether a part holds a tensor that wants a gradient."""
        return any(tensor.requires_grad for part in self.parts for tensor in tensors_of(part))

    @property
    def offset_is_shared(self) -> bool:
        """Whether all sequences of the batch begin at one position."""
        return not isinstance(self.q_offset, Tensor) or self.q_offset.ndim == 0

    @property
    def shared_offset(self) -> int:
        """The offset of a call that a backend serves for one offset only."""
        assert not isinstance(self.q_offset, Tensor)
        return self.q_offset

    @property
    def indices(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`b h q k`, shaped to broadcast over `[B, H, Q, K]`; q and k are absolute positions."""
        return self.indices_of(0, self.q_len)

    def indices_of(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`b h q k` for the queries `start..stop` of this call, and all keys."""
        batch, heads, device = self.query.shape[0], self.query.shape[1], self.query.device
        if is_ordinary() and self.k_len <= SHORT and type(self.q_offset) is int:
            first = self.q_offset
            return _kept(batch, heads, first + start, first + stop, self.k_len, device)
        b, h, q, k = _indices(batch, heads, start, stop, self.k_len, device)
        return b, h, q + self.first_position, k

    @property
    def first_position(self) -> int | Tensor:
        """Where the first query stands, ready to be added to indices `[B, H, Q, K]`."""
        if isinstance(self.q_offset, Tensor) and self.q_offset.ndim:
            return self.q_offset.view(-1, 1, 1, 1)
        return self.q_offset

    def scored(self, query: Tensor, key: Tensor) -> Tensor:
        """The scores of these queries and keys, one for every pair."""
        scores = self.score(query, key)
        wanted = (*query.shape[:3], key.shape[2])
        if tuple(scores.shape) != wanted:
            raise ValueError(
                f"score {label(self.score)} gave shape {list(scores.shape)} for [batch, heads, "
                f"q_len, k_len] = {list(wanted)}: return one number for every query and key."
            )
        return scores

    def permitted(self, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        """What the mask says of these pairs; True for all of them where there is none."""
        if self.mask is None:
            return torch.ones((1,) * q.ndim, dtype=torch.bool, device=q.device)
        answer = boolean(self.mask(b, h, q, k))
        if is_single(self.mask):
            return answer
        if answer.ndim < q.ndim:
            answer = answer.reshape((1,) * (q.ndim - answer.ndim) + tuple(answer.shape))
        _require_broadcast("mask", self.mask, answer, _pairs(b, h, q, k))
        return answer

    def modified(self, scores: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        """The scores of these pairs as the score_mod changes them."""
        if self.score_mod is None:
            return scores
        answer = self.score_mod(scores, b, h, q, k)
        if not is_jit_traced() and answer.shape != scores.shape:
            # A bias asked for alone, as the change of one zero, may be as wide as the pairs are.
            wanted = _pairs(b, h, q, k)
            alone = scores.numel() == 1
            _require_broadcast(
                "score_mod", self.score_mod, answer, wanted if alone else scores.shape
            )
            if not alone:
                answer = answer.expand(scores.shape)
        return answer

    def normalized(self, normalizer: Normalizer, scores: Tensor, where: Tensor | None) -> Tensor:
        """The weights of these scores, one for every pair."""
        weights = normalizer(scores, where)
        if not is_jit_traced() and weights.shape != scores.shape:
            raise ValueError(
                f"normalizer {label(self.normalizer)} gave shape {list(weights.shape)} for scores "
                f"{list(scores.shape)}: return one weight for every score."
            )
        return weights

    def where(self, **changes: Any) -> "Call":
        """The same call with other fields."""
        return replace(self, **changes)


SHORT = 2048  # keys up to which indices are kept, because making them takes longer than using them


def _indices(
    batch: int, heads: int, start: int, stop: int, k_len: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """`b h q k` as they broadcast over `[B, H, Q, K]`."""
    return (
        torch.arange(batch, device=device).view(-1, 1, 1, 1),
        torch.arange(heads, device=device).view(1, -1, 1, 1),
        torch.arange(start, stop, device=device).view(1, 1, -1, 1),
        torch.arange(k_len, device=device).view(1, 1, 1, -1),
    )


@lru_cache(maxsize=256)
def _kept(*sizes: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same, for later calls too, those that record gradients included."""
    with torch.inference_mode(False):
        return _indices(*sizes)


def boolean(permitted: Tensor) -> Tensor:
    """What a mask answered, if it is boolean; a `TypeError` otherwise, never a bias."""
    if not isinstance(permitted, Tensor) or permitted.dtype != torch.bool:
        got = permitted.dtype if isinstance(permitted, Tensor) else type(permitted).__name__
        raise TypeError(
            f"a mask must answer with booleans (True = may attend), but this one gave {got}: "
            "compare instead of computing, and pass additive biases as score_mod=Bias(tensor)."
        )
    return permitted


def is_single(mask: object) -> bool:
    """Whether a mask is one of ours and no other is joined to it, so that its shape is known."""
    return is_ours(mask) and not isinstance(mask, (And, Or, Not))


def _pairs(*indices: Tensor) -> list[int]:
    """The shape of all pairs; `torch.broadcast_shapes` takes longer than a small kernel."""
    return [
        next((n for n in sizes if n != 1), 1)
        for sizes in zip(*(i.shape for i in indices), strict=True)
    ]


def _require_broadcast(role: str, part: object, answer: Tensor, wanted: Sequence[int]) -> None:
    """Raise unless an answer has one entry for every pair, or one for all along an axis."""
    if torch.compiler.is_compiling() or is_jit_traced():
        return  # a comparison might bind the graph to a length
    sizes = tuple(answer.shape)
    if len(sizes) != len(wanted) or any(
        size not in (1, length) for size, length in zip(sizes, wanted, strict=True)
    ):
        raise ValueError(
            f"{role} {label(part)} gave shape {list(sizes)} for [batch, heads, q_len, k_len] = "
            f"{list(wanted)}: return one entry for every pair, or 1 where an axis does not matter."
        )


def label(part: object) -> str:
    """A function's name, or the part's own repr; in a compiled graph, which has none, its type."""
    shown = type(part).__name__ if torch.compiler.is_compiling() else repr(part)
    return getattr(part, "__name__", None) or shown


def shown(length: Offset) -> str:
    """A length for a message; printing one that varies would bind a recorded graph to it."""
    if isinstance(length, Tensor):
        return "one for each sequence"
    return str(length) if is_static(length) else "one that varies"


def repeat_heads(tensor_BGKD: Tensor, groups: int) -> Tensor:
    """Key/value heads matched to the query heads, each repeated in place (Hugging Face's order)."""
    return tensor_BGKD if groups == 1 else tensor_BGKD.repeat_interleave(groups, dim=1)
