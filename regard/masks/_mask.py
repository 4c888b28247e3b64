"""What every mask can do: be called with positions, be joined by `& | ~`, be checked and bound."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Bool, Shaped
from torch import Tensor

from regard._pairwise import Index, Offset, aligned_part, check_part
from regard._typing import MaskMod


class Mask(ABC):
    """May the query at position q attend to the key at position k, in batch b and head h?

    The signature is FlexAttention's `mask_mod`; True means *may attend*; positions are absolute.
    Masks are values: they compare, hash and print, and join as `Causal() & ~Block(4) | Prefix(2)`.

    >>> from regard.masks import Block, Causal, Prefix
    >>> Causal() & ~Block(4) | Prefix(2)
    Causal() & ~Block(size=4) | Prefix(length=2)
    """

    @abstractmethod
    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Answer for index tensors that broadcast together, or for 0-d ones under FlexAttention."""

    def aligned(self, q_offset: Offset) -> "Mask":
        """Bind rows that belong to the call's queries to positions from `q_offset` on.

        An integer tensor [batch] has an offset for each sequence.
        """
        return self

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise ValueError or TypeError when the mask cannot apply to these tensors."""
        return None

    def __and__(self, other: MaskMod) -> "And":
        """Permit what both permit."""
        return And(self, _joinable(other, "&"))

    def __rand__(self, other: MaskMod) -> "And":
        """Permit what both permit."""
        return And(_joinable(other, "&"), self)

    def __or__(self, other: MaskMod) -> "Or":
        """Permit what either permits."""
        return Or(self, _joinable(other, "|"))

    def __ror__(self, other: MaskMod) -> "Or":
        """Permit what either permits."""
        return Or(_joinable(other, "|"), self)

    def __invert__(self) -> "Not":
        """Permit what this mask forbids."""
        return Not(self)

    def __bool__(self) -> bool:
        """Refuse: `and`, `or` and `not` would silently drop one of the masks."""
        raise TypeError(
            "a mask has no truth value; join masks with & | ~ instead of and, or, not, "
            "and ask for its absence with `is None`."
        )


@dataclass(frozen=True)
class _Pair(Mask):
    """Two masks joined."""

    left: MaskMod
    right: MaskMod

    def aligned(self, q_offset: Offset) -> Mask:
        """Bind both sides."""
        left, right = aligned_part(self.left, q_offset), aligned_part(self.right, q_offset)
        return self if left is self.left and right is self.right else type(self)(left, right)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Check both sides."""
        check_part(self.left, query, key)
        check_part(self.right, query, key)


@dataclass(frozen=True, repr=False)
class And(_Pair):
    """Both masks must permit the pair: left ∧ right.

    >>> from regard.masks import Causal, SlidingWindow
    >>> Causal() & SlidingWindow(128)
    Causal() & SlidingWindow(left=128, right=0)
    """

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Ask both."""
        return self.left(b, h, q, k) & self.right(b, h, q, k)

    def __repr__(self) -> str:
        """Print as the expression that makes it."""
        return f"{_show(self.left, Or)} & {_show(self.right, And, Or)}"


@dataclass(frozen=True, repr=False)
class Or(_Pair):
    """One of the masks must permit the pair: left ∨ right.

    >>> from regard.masks import Causal, Prefix
    >>> Causal() | Prefix(3)
    Causal() | Prefix(length=3)
    """

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Ask both."""
        return self.left(b, h, q, k) | self.right(b, h, q, k)

    def __repr__(self) -> str:
        """Print as the expression that makes it."""
        return f"{_show(self.left)} | {_show(self.right, Or)}"


@dataclass(frozen=True, repr=False)
class Not(Mask):
    """The inner mask must forbid the pair: ¬ inner.

    Inside a compiled function write `Not(mask)`: `torch.compile` does not read `~` of an object.

    >>> from regard.masks import Block, Causal
    >>> ~(Causal() & Block(4))
    ~(Causal() & Block(size=4))
    """

    inner: MaskMod

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Ask and invert."""
        return ~self.inner(b, h, q, k)

    def __repr__(self) -> str:
        """Print as the expression that makes it."""
        return f"~{_show(self.inner, And, Or)}"

    def aligned(self, q_offset: Offset) -> "Not":
        """Bind the inner mask."""
        inner = aligned_part(self.inner, q_offset)
        return self if inner is self.inner else Not(inner)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Check the inner mask."""
        check_part(self.inner, query, key)


def _joinable(other: MaskMod, operator: str) -> MaskMod:
    """Let masks and plain functions through; explain how to join anything else."""
    if isinstance(other, Tensor):
        raise TypeError(
            f"cannot join a mask and a bare tensor of shape {list(other.shape)} with {operator}; "
            "wrap the tensor in regard.masks.Dense(tensor)."
        )
    if not callable(other):
        raise TypeError(
            f"{operator} joins masks, got {type(other).__name__}; "
            "give a mask or a function (b, h, q, k) -> bool tensor."
        )
    return other


def _show(part: MaskMod, *looser: type[Mask]) -> str:
    """Print an operand, in parentheses where its operator binds less tightly."""
    text = repr(part) if isinstance(part, Mask) else getattr(part, "__name__", repr(part))
    return f"({text})" if isinstance(part, looser) else text
