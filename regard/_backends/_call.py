"""One call of the operator, checked, as every backend receives it.

Axis legend for this folder: B batch, H query heads, G key/value heads, Q queries, K keys, D width,
V value width.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from regard._typing import MaskMod, Normalizer, Score, ScoreMod


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
    q_offset: int

    @property
    def q_len(self) -> int:
        return self.query.shape[-2]

    @property
    def k_len(self) -> int:
        return self.key.shape[-2]

    @property
    def groups(self) -> int:
        """How many query heads share one key/value head."""
        return self.query.shape[1] // self.key.shape[1] if self.key.shape[1] else 1

    @property
    def exact(self) -> torch.dtype:
        """The dtype to accumulate in: float32, or float64 if the inputs are."""
        return torch.promote_types(self.query.dtype, torch.float32)

    @property
    def needs_grad(self) -> bool:
        tensors = (self.query, self.key, self.value)
        return torch.is_grad_enabled() and (
            any(tensor.requires_grad for tensor in tensors) or self.parts_need_grad
        )

    @property
    def parts_need_grad(self) -> bool:
        """Whether a part holds a tensor that wants a gradient."""
        parts = (self.score, self.score_mod, self.mask, self.normalizer)
        return any(tensor.requires_grad for part in parts for tensor in tensors_of(part))

    @property
    def indices(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`b h q k`, shaped to broadcast over `[B, H, Q, K]`; q and k are absolute positions."""
        return self.indices_of(0, self.q_len)

    def indices_of(self, start: int, stop: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`b h q k` for the queries `start..stop` of this call."""
        device = self.query.device
        b = torch.arange(self.query.shape[0], device=device).view(-1, 1, 1, 1)
        h = torch.arange(self.query.shape[1], device=device).view(1, -1, 1, 1)
        q = torch.arange(start + self.q_offset, stop + self.q_offset, device=device)
        k = torch.arange(self.k_len, device=device)
        return b, h, q.view(1, 1, -1, 1), k.view(1, 1, 1, -1)

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
        return boolean(self.mask(b, h, q, k))

    def modified(self, scores: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        """The scores of these pairs as the score_mod changes them."""
        return scores if self.score_mod is None else self.score_mod(scores, b, h, q, k)

    def where(self, **changes: Any) -> "Call":
        """The same call with other fields."""
        return replace(self, **changes)


def boolean(permitted: Tensor) -> Tensor:
    """What a mask answered, if it is boolean; a `TypeError` otherwise, never a bias."""
    if not isinstance(permitted, Tensor) or permitted.dtype != torch.bool:
        got = permitted.dtype if isinstance(permitted, Tensor) else type(permitted).__name__
        raise TypeError(
            f"a mask must answer with booleans (True = may attend), but this one gave {got}: "
            "compare instead of computing, and pass additive biases as score_mod=Bias(tensor)."
        )
    return permitted


def is_transformed() -> bool:
    """Whether a `torch.func` transform is at work, which brings its own differentiation."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def is_traced() -> bool:
    """Whether this runs to be recorded: then no number can be looked at and no hook be set."""
    return torch.compiler.is_compiling() or is_transformed()


def label(part: object) -> str:
    """A function's name, or the part's own repr; in a compiled graph, which has none, its type."""
    shown = type(part).__name__ if torch.compiler.is_compiling() else repr(part)
    return getattr(part, "__name__", None) or shown


def tensors_of(part: object) -> list[Tensor]:
    """The tensors a part holds: parameters and buffers of a module, fields of a dataclass."""
    if isinstance(part, torch.nn.Module):
        return [*part.parameters(), *part.buffers()]
    fields = vars(part) if hasattr(part, "__dict__") and not isinstance(part, type) else {}
    found: list[Tensor] = []
    for held in fields.values():
        if isinstance(held, Tensor):
            found.append(held)
        elif hasattr(held, "__dataclass_fields__"):
            found += tensors_of(held)
    return found


def repeat_heads(tensor_BGKD: Tensor, groups: int) -> Tensor:
    """Key/value heads matched to the query heads, each repeated in place (Hugging Face's order)."""
    return tensor_BGKD if groups == 1 else tensor_BGKD.repeat_interleave(groups, dim=1)
