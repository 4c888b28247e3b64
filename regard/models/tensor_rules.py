"""Two-way conversion between a published family's tensors and ours, as data: `Rule`s."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from regard._io.unwrapping import places, unwrapped
from regard.errors import CheckpointMismatch


@runtime_checkable
class Edit(Protocol):
    """How several of their tensors become one of ours, and the reverse."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor: ...

    def split(self, ours: Tensor) -> Sequence[Tensor]: ...


@dataclass(frozen=True)
class Same:
    """Theirs is ours."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The only one."""
        return theirs[0]

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """The only one."""
        return [ours]


@dataclass(frozen=True)
class Stacked:
    """Ours is several of theirs stacked by rows: queries, keys and values by one product.

    Args:
        sizes: how many rows each has.
    """

    sizes: tuple[int, ...]

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """Stack by rows."""
        return torch.cat(list(theirs))

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Split by rows."""
        return ours.split(list(self.sizes))


@dataclass(frozen=True)
class Transposed:
    """Theirs is transposed: GPT-2's layers, which are written as convolutions."""

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """Transpose."""
        return theirs[0].mT

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Transpose back."""
        return [ours.mT]


@dataclass(frozen=True)
class Reshaped:
    """Theirs has the same values in another shape, such as a non-overlapping patch convolution.

    Args:
        ours: our shape.
        theirs: their shape.
    """

    ours: tuple[int, ...]
    theirs: tuple[int, ...]

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """In our shape."""
        return theirs[0].reshape(self.ours)

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """In their shape."""
        return [ours.reshape(self.theirs)]


@dataclass(frozen=True)
class First:
    """Ours is the first of theirs, and the others are unused copies."""

    copies: int = 1

    def join(self, theirs: Sequence[Tensor]) -> Tensor:
        """The first."""
        return theirs[0]

    def split(self, ours: Tensor) -> Sequence[Tensor]:
        """Repeat it."""
        return [ours] * (1 + self.copies)


@dataclass(frozen=True)
class Rule:
    """Which tensors of theirs make up one of ours.

    Args:
        ours: its name.
        theirs: their names, in the order `edit` takes them.
    """

    ours: str
    theirs: tuple[str, ...]
    edit: Edit = Same()


def same(ours: str, theirs: str, *leaves: str) -> list[Rule]:
    """Rules for identical tensors: a layer's `weight` and `bias`, or other leaves.

    >>> [rule.theirs for rule in same("norm", "LayerNorm")]
    [('LayerNorm.weight',), ('LayerNorm.bias',)]
    """
    names = leaves or ("weight", "bias")
    return [Rule(f"{ours}.{leaf}", (f"{theirs}.{leaf}",)) for leaf in names]


def fill(
    model: Any, rules: Sequence[Rule], tensors: Mapping[str, Tensor], dropped: tuple[str, ...] = ()
) -> Any:
    """A network with their tensors, for evaluation.

    Args:
        dropped: ends and beginnings of names of theirs that no number depends on.

    Raises `CheckpointMismatch`, naming all that is missing, left over or of another shape.
    """
    state, taken = model.state_dict(), dict[str, Tensor]()
    missing, wrong = list[str](), dict[str, tuple[Sequence[int], Sequence[int]]]()
    for rule in rules:
        parts = rule.edit.split(state[rule.ours])
        found = [tensors.get(name) for name in rule.theirs]
        for name, part, tensor in zip(rule.theirs, parts, found, strict=True):
            if tensor is None:
                missing.append(name)
            elif tensor.shape != part.shape:
                wrong[name] = tuple(tensor.shape), tuple(part.shape)
        there = [each for each in found if each is not None]
        if len(there) == len(found) and not wrong:
            taken[rule.ours] = rule.edit.join(there)
    known = {name for rule in rules for name in rule.theirs}
    some = (*dropped, "\0")
    left = [n for n in tensors.keys() - known if not (n.endswith(some) or n.startswith(some))]
    if missing or left or wrong:
        raise CheckpointMismatch(missing, left, wrong)
    model.load_state_dict({**state, **taken})
    return model.eval()


def theirs_of(model: Any, rules: Sequence[Rule]) -> dict[str, Tensor]:
    """A network's tensors by their names."""
    state = model.state_dict()
    return {
        name: part
        for rule in rules
        for name, part in zip(rule.theirs, rule.edit.split(state[rule.ours]), strict=True)
    }


def told_by(tensors: Any, signs: Sequence[str], part: str | None = None) -> Mapping[str, Tensor]:
    """The table of a checkpoint in which names of theirs are; it itself where none are.

    Warns where it is not the checkpoint itself. Raises `ValueError` where several are.
    """
    wanted = dict.fromkeys(signs)
    if not places(tensors, wanted):
        return tensors
    found = unwrapped(tensors, wanted, part)
    if str(found):
        warnings.warn(f"the weights are those of {found}", stacklevel=4)
    return found.tensors
