"""Score modifications applied in sequence."""

from dataclasses import dataclass

from jaxtyping import Float, Shaped
from torch import Tensor

from regard._pairwise import Index, Offset, aligned_part, check_part
from regard._typing import ScoreMod


@dataclass(frozen=True, init=False, repr=False)
class Chain:
    """Apply score modifications in order: each of f₁, f₂, … gets the result of the one before it.

    `Chain(SoftCap(30.0), ALiBi(8))` caps the scores and then adds the bias; the other order caps
    the sum. Functions and modules are links like any other; a nested chain is flattened.

    Args:
        mods: the modifications, at least one.

    Raises ValueError for none, TypeError for anything that is not a modification, such as a mask.
    `check` raises what the links raise.

    >>> from regard.score_mods import ALiBi, Chain, SoftCap
    >>> Chain(SoftCap(30.0), ALiBi(8))
    Chain(SoftCap(cap=30.0), ALiBi(num_heads=8))
    """

    mods: tuple[ScoreMod, ...]

    def __init__(self, *mods: ScoreMod) -> None:
        """Reject anything that is not a modification, and flatten nested chains."""
        if not mods:
            raise ValueError(
                "Chain needs at least 1 score_mod, got 0; leave score_mod out for none."
            )
        for mod in mods:
            _check_link(mod)
        links = (mod.mods if isinstance(mod, Chain) else (mod,) for mod in mods)
        object.__setattr__(self, "mods", tuple(mod for link in links for mod in link))

    @property
    def additive(self) -> bool:
        """Whether what is added does not depend on the score: true if it is for all links."""
        return all(getattr(mod, "additive", False) for mod in self.mods)

    def __call__(
        self, score: Float[Tensor, "..."], b: Index, h: Index, q: Index, k: Index
    ) -> Float[Tensor, "..."]:
        """Apply the links in order."""
        for mod in self.mods:
            score = mod(score, b, h, q, k)
        return score

    def aligned(self, q_offset: Offset) -> "Chain":
        """Bind every link that has rows."""
        mods = [aligned_part(mod, q_offset) for mod in self.mods]
        same = all(new is old for new, old in zip(mods, self.mods, strict=True))
        return self if same else Chain(*mods)

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Check every link."""
        for mod in self.mods:
            check_part(mod, query, key)

    def __repr__(self) -> str:
        """Print as the expression that makes it."""
        return f"Chain({', '.join(getattr(mod, '__name__', repr(mod)) for mod in self.mods)})"


def _check_link(mod: object) -> None:
    """Raise unless this can change a score."""
    if isinstance(mod, type):
        raise TypeError(
            f"Chain got the class {mod.__name__}; pass an instance, {mod.__name__}(...)."
        )
    if not callable(mod):
        fix = "wrap a bias tensor as Bias(tensor)" if isinstance(mod, Tensor) else "pass objects"
        raise TypeError(
            f"Chain needs score_mods, got {type(mod).__name__}; {fix}, one argument for each link."
        )
    if hasattr(mod, "__invert__"):  # only a yes or no can be inverted
        raise TypeError(f"Chain got the mask {mod}; pass it as mask=, it changes no score.")
