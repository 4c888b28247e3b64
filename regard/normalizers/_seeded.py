"""What normalizers that draw have in common."""

from functools import partial
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from regard._pairwise import Count
from regard.normalizers._gumbel import whole_seed


class Seeded:
    """A frozen dataclass with a `seed`: its draws depend on that and on the pair's place alone.

    Without a seed they come from torch's global generator. A normalizer says in `_draw` how it
    draws for some heads and rows, and calls `_check_seed` when it is made.
    """

    seed: Count | None

    @property
    def random(self) -> bool:
        """Whether two calls differ."""
        return self.seed is None

    def at(self, heads: Any, rows: Any) -> Any:
        """The same draw for some heads and query rows."""
        return self if self.random else partial(self._draw, heads, rows)

    def __call__(
        self,
        scores: Float[Tensor, "*rows k_len"],
        where: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "*rows k_len"]:
        """Weights over the permitted keys."""
        return self._draw(slice(None), slice(None), scores, where)

    def _draw(self, heads: Any, rows: Any, scores: Tensor, where: Tensor | None = None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not say how it draws")

    def _check_seed(self) -> None:
        if self.seed is not None:
            object.__setattr__(self, "seed", whole_seed(type(self).__name__, self.seed))
