"""Independent random numbers for each row."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

Drawing = Callable[[Float[Tensor, "rows vocab"], Int[Tensor, " rows"]], Int[Tensor, " rows"]]


@dataclass(frozen=True)
class RowSeeds:
    """A seed for each source: what a row samples depends only on its own weights and seed.

    The same seed gives the same text, whatever else is in the batch, and on every device: each
    step takes one number u, uniform in [0, 1), and the first token at which the cumulative
    weight exceeds u.

    >>> weights = torch.tensor([[0.5, 0.5]] * 2)
    >>> draw = RowSeeds((1, 1)).drawing()
    >>> one, other = draw(weights, torch.arange(2)).tolist()
    >>> one == other
    True
    """

    seeds: tuple[int, ...]

    def drawing(self) -> Drawing:
        """A function that samples a token for each of these rows, restarted at the first step."""
        generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

        def draw(weights: Tensor, rows: Tensor) -> Tensor:
            numbers = [
                torch.rand((), dtype=torch.float64, generator=generators[row])
                for row in rows.tolist()
            ]
            return _token_at(weights, torch.stack(numbers).to(weights.device))

        return draw


def _token_at(
    weights: Float[Tensor, "rows vocab"], share: Float[Tensor, " rows"]
) -> Int[Tensor, " rows"]:
    """The token at this share of the weights; never one without weight."""
    sums = weights.double().cumsum(-1)
    total = sums[:, -1:]
    found = torch.searchsorted(sums, share.unsqueeze(1) * total, right=True).squeeze(1)
    # Where the product is rounded up to the whole, the last token with weight is meant.
    return torch.minimum(found, (sums >= total).int().argmax(-1))
