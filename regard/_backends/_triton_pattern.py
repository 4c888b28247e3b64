"""What a call's mask and bias are to a Triton kernel: a reach, ids, a boolean tensor, a tensor."""

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from regard._backends._call import Call
from regard._backends._structure import conjuncts, is_softmax, temperature
from regard._typing import MaskMod
from regard.masks import And, Block, Causal, Document, SlidingWindow

if TYPE_CHECKING:
    from regard._kernels.triton_pattern import Pattern

FAR = 1 << 40
"""A reach of more than any length."""


@dataclass(frozen=True)
class Given:
    """A query sees the keys from `query + low` to `query + high` of its own id where mask is true.

    All that is given may be shared along any axis; the bias is float32.
    """

    low: int
    high: int
    q_ids: Tensor | None
    k_ids: Tensor | None
    mask: Tensor | None
    bias: Tensor | None

    @property
    def tensors(self) -> tuple[Tensor | None, ...]:
        """What may change between a forward and a backward pass."""
        return self.q_ids, self.k_ids, self.mask, self.bias

    def with_tensors(self, *tensors: Tensor | None) -> "Given":
        """The same with these tensors."""
        q_ids, k_ids, mask, bias = tensors
        return replace(self, q_ids=q_ids, k_ids=k_ids, mask=mask, bias=bias)

    def pattern(self, q_len: int, k_len: int) -> "Pattern":
        """As kernels read it: numbers that 32 bits hold, bytes in the place of booleans."""
        from regard._kernels.triton_pattern import Pattern

        return Pattern(
            low=min(max(self.low, -q_len), k_len),
            high=max(min(self.high, k_len), -q_len - 1),
            q_ids=self.q_ids,
            k_ids=self.k_ids,
            mask=None if self.mask is None else self.mask.view(torch.uint8),
            bias=self.bias,
        )


def given(call: Call) -> Given:
    """Windows are a reach and documents are ids; all else is evaluated, as wide as it has to be."""
    low, high, rest = -FAR, FAR, conjuncts(call.mask)
    q_ids = k_ids = None
    if call.offset_is_shared:
        offset, parts, rest = call.shared_offset, rest, []
        for part in parts:
            match part:
                case Causal():
                    high = _least(high, offset)
                case SlidingWindow():
                    low, high = -_least(-low, part.left - offset), _least(high, part.right + offset)
                case Document() if q_ids is None and not isinstance(part.first_query, Tensor):
                    q_ids, k_ids = _documents(part, call)
                case Block() if q_ids is None:
                    q_ids, k_ids = _blocks(part, call)
                case _:
                    rest.append(part)
    return Given(low, high, q_ids, k_ids, _mask(call, rest), _bias(call))


def _least(one: Any, other: Any) -> Any:
    """The lower of two numbers, which in a recorded graph may vary."""
    return torch.sym_min(one, other)


def _documents(part: Document, call: Call) -> tuple[Tensor, Tensor]:
    assert not isinstance(part.first_query, Tensor)
    start = call.shared_offset - (part.first_query or 0)
    of_q, of_k = part.ids, part.ids if part.key_ids is None else part.key_ids
    of_q, of_k = of_q[..., start : start + call.q_len], of_k[..., : call.k_len]
    if of_q.dtype != of_k.dtype:
        of_q, of_k = of_q.long(), of_k.long()
    return torch.atleast_2d(of_q), torch.atleast_2d(of_k)


def _blocks(part: Block, call: Call) -> tuple[Tensor, Tensor]:
    _, _, q, k = call.indices
    return q.reshape(1, -1) // part.size, k.reshape(1, -1) // part.size


def _mask(call: Call, rest: list[MaskMod]) -> Tensor | None:
    if not rest:
        return None
    mask: Any = reduce(And, rest)
    answer = call.where(mask=mask).permitted(*call.indices)
    return answer.reshape((1,) * (4 - answer.ndim) + tuple(answer.shape))


def _bias(call: Call) -> Tensor | None:
    if call.score_mod is None:
        return None
    zero = torch.zeros((1, 1, 1, 1), dtype=torch.float32, device=call.query.device)
    bias = call.modified(zero, *call.indices)
    return bias / temperature(call.normalizer) if is_softmax(call.normalizer) else bias
