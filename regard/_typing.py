"""The roles of the operator: what a score, a score modification, a mask and a normalizer are.

A part is a callable with a fixed signature. Without weights it is a plain function or a small
frozen dataclass; with weights it is an `nn.Module`. These protocols say no more than that.

The axis words of every annotation: `batch heads kv_heads q_len k_len head_dim value_dim embed_dim`.

A part may offer more than its call; the operator uses what it finds:

- `check(query, key)` raises when the part cannot apply to these tensors,
- `aligned(q_offset)` (masks, score mods) binds rows of a stored tensor to the call's first query,
  which stands at an int, or at one position for each sequence, an integer tensor `[batch]`,
- `at(heads, rows)` (normalizers) is the same normalizer for some heads and query rows only; one
  from elsewhere that has no `at` is always given all heads and rows,
- `pair_width(query_dim, key_dim)` (scores) is the number of values held per (query, key) pair.
"""

from typing import TYPE_CHECKING, Protocol, SupportsFloat, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

if TYPE_CHECKING:
    Share = float
else:  # NumPy's numbers are taken too
    Share = SupportsFloat


@runtime_checkable
class Score(Protocol):
    """How alike are query and key? Called with at least float32, and as many key as query heads."""

    def __call__(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]: ...


@runtime_checkable
class ScoreMod(Protocol):
    """A score changed, knowing where it stands: FlexAttention's signature, absolute positions."""

    def __call__(self, score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor: ...


@runtime_checkable
class MaskMod(Protocol):
    """May this query attend to this key? True means yes. FlexAttention's own signature."""

    def __call__(self, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor: ...


@runtime_checkable
class Normalizer(Protocol):
    """Scores to weights over the last axis; weight exactly 0 where `where` is False."""

    def __call__(
        self, scores: Float[Tensor, "*batch k_len"], where: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "*batch k_len"]: ...
