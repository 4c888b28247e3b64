"""What a part holds: the tensors it computes with, and what may change while it does."""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize


def tensors_of(part: object) -> list[Tensor]:
    """The tensors a part holds: parameters and buffers of a module, fields, fields of fields."""
    found: list[Tensor] = []
    for held in _held(part):
        if isinstance(held, nn.Module):
            found += [*held.parameters(), *held.buffers()]
        elif isinstance(held, Tensor):
            found.append(held)
    return found


def is_known(part: object) -> bool:
    """Whether `tensors_of` tells all that the part depends on: no function from elsewhere."""
    return all(
        isinstance(held, (nn.Module, Tensor))
        or (held.__module__ or "").startswith(("regard.", "torch."))
        for held in _held(part)
    )


def changes_as_it_runs(part: object) -> bool:
    """Whether calling the part may change it, as spectral norm or a running mean does.

    Such a part is called once for each call of the operator, not once for each chunk.
    """
    return any(
        module.training
        and (
            any(True for _ in module.buffers(recurse=False))
            or len(module._forward_pre_hooks) > 0
            or parametrize.is_parametrized(module)
        )
        for held in _held(part)
        if isinstance(held, nn.Module)
        for module in held.modules()
    )


def takes_some_rows(normalizer: object) -> bool:
    """Whether a normalizer may be given some heads and rows: it says which (`at`), or is ours.

    Ours without an `at` look at each row alone; one from elsewhere may know its head or its row.
    """
    return hasattr(normalizer, "at") or is_ours(normalizer)


def is_ours(part: object) -> bool:
    """Whether a part is one of this library's, which treat heads and rows alike."""
    home = part if isinstance(part, FunctionType) else type(part)
    return (home.__module__ or "").startswith("regard.")


def _held(part: object) -> Iterator[Any]:
    """Modules, tensors and functions in a part, in its fields, and in tuples of these."""
    if isinstance(part, (int, float, str)):  # a compiler cannot ask such a number what it has
        return
    if isinstance(part, (nn.Module, Tensor, FunctionType)):
        yield part
    elif isinstance(part, tuple):
        for one in part:
            yield from _held(one)
    elif hasattr(part, "__dataclass_fields__") and not isinstance(part, type):
        for one in vars(part).values():
            yield from _held(one)
    elif callable(part) and not isinstance(part, type):
        yield _unknown


def _unknown() -> None:
    """Stands for a callable of a kind that cannot be looked into: a partial, a bound method."""


_unknown.__module__ = "elsewhere"
