"""Displays in which one bar stands out, as in experiments on what the eye finds at once."""

import math
import random
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ANGLES = (0, 45, 90, 135)
COLOURS = {
    "red": (1.0, 0.1, 0.1),
    "green": (0.1, 1.0, 0.1),
    "blue": (0.1, 0.1, 1.0),
    "yellow": (1.0, 1.0, 0.1),
}
GREYS = (0.0, 0.25, 0.5)


@dataclass(frozen=True)
class Display:
    """Bars in a grid, one of which has another colour or orientation.

    Args:
        image: from 0 to 1.
        odd: row and column of the middle of that bar.
        cell: places from one bar to the next.
    """

    image: Float[Tensor, "3 size size"]
    odd: tuple[float, float]
    cell: float

    def holds(self, row: float, column: float) -> bool:
        """Whether a place is in the cell of the odd bar."""
        return max(abs(row - self.odd[0]), abs(column - self.odd[1])) <= self.cell / 2


def display(kind: str, seed: int, size: int = 512, grid: int = 7, jitter: float = 0.1) -> Display:
    """A display of `kind` "colour" or "orientation"; bars stand up to `jitter` cells from theirs.

    >>> shown = display("colour", seed=0, size=64, grid=4)
    >>> shown.image.shape, shown.holds(*shown.odd)
    (torch.Size([3, 64, 64]), True)
    """
    if kind not in ("colour", "orientation"):
        raise ValueError(f'a display is of kind "colour" or "orientation", got {kind!r}')
    rng, cell = random.Random(f"{kind} {seed}"), size / grid
    image = torch.full((3, size, size), rng.choice(GREYS))
    place, odd = rng.randrange(grid * grid), (0.0, 0.0)
    angles, colours = rng.sample(ANGLES, 2), rng.sample([*COLOURS.values()], 2)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    for number in range(grid * grid):
        middle = (
            (number // grid + 0.5 + rng.uniform(-jitter, jitter)) * cell,
            (number % grid + 0.5 + rng.uniform(-jitter, jitter)) * cell,
        )
        if number == place:
            odd = middle
        angle = math.radians(angles[number == place if kind == "orientation" else 0])
        colour = colours[number == place] if kind == "colour" else (1.0, 1.0, 1.0)
        right, up = column - middle[1], middle[0] - row
        along = right * math.cos(angle) + up * math.sin(angle)
        across = up * math.cos(angle) - right * math.sin(angle)
        inside = (along.abs() <= 0.3 * cell) & (across.abs() <= 0.08 * cell)
        image[:, inside] = torch.tensor(colour)[:, None]
    return Display(image, odd, cell)
