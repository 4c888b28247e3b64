"""Which axes of two operands meet in a product, as einsum's letters say it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor


class Product(NamedTuple):
    """Two operands and the letters of their axes and of the result's."""

    one: Tensor
    other: Tensor
    of_one: str
    of_other: str
    of_result: str

    def turned(self) -> "Product":
        return Product(self.other, self.one, self.of_other, self.of_one, self.of_result)

    @property
    def contracted(self) -> list[str]:
        return [c for c in self.of_one if c in self.of_other and c not in self.of_result]


LETTERS = "ABCDEFGHIJKLMNOP"


def matmul(one: Tensor, other: Tensor) -> Product | None:
    """`one @ other`; axes in front are aligned from the right."""
    more = LETTERS[: max(one.ndim, other.ndim, 2) - 2]
    if one.ndim == 0 or other.ndim == 0:
        return None
    of_one = "k" if one.ndim == 1 else more[len(more) - one.ndim + 2 :] + "qk"
    of_other = "k" if other.ndim == 1 else more[len(more) - other.ndim + 2 :] + "kd"
    of_result = more + ("q" if one.ndim > 1 else "") + ("d" if other.ndim > 1 else "")
    return Product(one, other, of_one, of_other, of_result)


def linear(x: Tensor, weight: Tensor) -> Product:
    """`F.linear(x, weight)`."""
    lead = LETTERS[: x.ndim - 1]
    of_weight = "dk" if weight.ndim == 2 else "k"
    return Product(x, weight, lead + "k", of_weight, lead + of_weight[:-1])


def einsum(args: Sequence[Any]) -> Product | None:
    """`torch.einsum` of two operands; None for others, and where a letter stands twice."""
    if not args or not isinstance(args[0], str):
        return None
    operands = list(args[1]) if isinstance(args[1], (list, tuple)) else list(args[1:])
    if len(operands) != 2:
        return None
    left, arrow, right = args[0].replace(" ", "").partition("->")
    if left.count(",") != 1:
        return None
    named = [
        _without_dots(letters, operand.ndim)
        for letters, operand in zip(left.split(","), operands, strict=True)
    ]
    if any(letters is None or len(set(letters)) != len(letters) for letters in named):
        return None
    one, other = str(named[0]), str(named[1])
    dots = max(
        each.count("...") and operand.ndim - len(each) + 3
        for each, operand in zip(left.split(","), operands, strict=True)
    )
    if not arrow:
        once = sorted(c for c in set(one + other) if (one + other).count(c) == 1)
        right = ("..." if dots else "") + "".join(c for c in once if c not in LETTERS[:dots])
    result = right.replace("...", LETTERS[:dots])
    return Product(operands[0], operands[1], one, other, result)


def _without_dots(letters: str, ndim: int) -> str | None:
    """Capitals in the place of `...`; None where the equation has some of its own."""
    if "..." not in letters:
        return letters
    if any(c in LETTERS for c in letters):
        return None
    return letters.replace("...", LETTERS[: ndim - len(letters) + 3])
