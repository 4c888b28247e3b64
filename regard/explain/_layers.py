"""Reading and checking the weights of a network, in one place for all explanations."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from regard.explain.explanation import Explanation

HEADS = ("batch", "head", "query", "key")
"""The axes of one layer's weights."""

TOLERANCE, HALF_TOLERANCE = 1e-3, 2e-2
"""How far a row's sum may be from one: in 32 bits or more, and in half precision."""


@runtime_checkable
class HasWeights(Protocol):
    """Anything with weights `[batch, heads, q_len, k_len]`, such as a captured map."""

    def weights(self) -> Tensor: ...


Layers = Tensor | Iterable[Any]
"""`[layers, batch, heads, q_len, k_len]`, or `[batch, heads, q_len, k_len]` for each layer:
tensors, explanations with these axes, or anything that `HasWeights`."""


def read_layers(
    owner: str,
    layers: Layers,
    *,
    name: str = "weights",
    signed: bool = False,
    normalized: bool = False,
) -> list[Tensor]:
    """One tensor per layer, in at least float32.

    Args:
        owner: the calling function, and `name` its argument, for error messages.
        signed: whether they may be negative, like gradients.
        normalized: whether every row must sum to one, or be zero for a query that sees nothing.

    Raises:
        ValueError, TypeError: they are not; the message says which layer, and where in it.

    >>> [layer.shape for layer in read_layers("rollout", torch.ones(2, 1, 1, 3, 3))]
    [torch.Size([1, 1, 3, 3]), torch.Size([1, 1, 3, 3])]
    """
    if isinstance(layers, Tensor) and layers.ndim != 5:
        wanted = "[layers, batch, heads, q_len, k_len]"
        hint = f"; of a single layer say {name}[None]" if layers.ndim == 4 else ""
        raise ValueError(f"{owner} needs {name} as {wanted}, got {[*layers.shape]}{hint}.")
    if not isinstance(layers, Iterable):
        raise TypeError(
            f"{owner} needs {name} as a tensor of all layers or a sequence with one of each, got "
            f"{type(layers).__name__}."
        )
    found = [_layer(owner, name, number, each) for number, each in enumerate(layers)]
    if not found:
        raise ValueError(f"{owner} needs {name} of at least one layer, got 0.")
    for number, layer in enumerate(found):
        what = f"{owner}: {name} of layer {number}"
        if layer.shape[0] != found[0].shape[0]:
            raise ValueError(
                f"{what} has a batch of {layer.shape[0]}, that of layer 0 {found[0].shape[0]}; "
                "give all of them of the same call."
            )
        if layer.device != found[0].device:
            raise ValueError(
                f"{what} is on {layer.device}, layer 0 on {found[0].device}; bring all of them to "
                "one device."
            )
        _require_numbers(what, layer, signed)
        if normalized:
            _require_normalized(what, layer)
    return alike(found)[0]


def alike(*stacks: list[Tensor]) -> list[list[Tensor]]:
    """The same stacks in one dtype: the widest of theirs, at least 32 bits.

    >>> [[one], [other]] = alike([torch.ones(1).bfloat16()], [torch.ones(1).half()])
    >>> one.dtype, other.dtype
    (torch.float32, torch.float32)
    """
    dtypes = (layer.dtype for stack in stacks for layer in stack)
    dtype = reduce(torch.promote_types, dtypes, torch.float32)
    return [[layer.to(dtype) for layer in stack] for stack in stacks]


def read_layer(owner: str, layer: Any, **kinds: Any) -> Tensor:
    """The same for a single layer, `[batch, heads, q_len, k_len]`."""
    if isinstance(layer, Tensor) and layer.ndim == 5:
        raise ValueError(
            f"{owner} reads one layer, [batch, heads, q_len, k_len], got {[*layer.shape]}; "
            "call it for each layer."
        )
    return read_layers(owner, [layer], **kinds)[0]


def _layer(owner: str, name: str, number: int, layer: Any) -> Tensor:
    if layer is None:
        raise ValueError(
            f"{owner}: layer {number} gave no weights (None), as fused attention does; "
            "regard.capture(model) has those of every kernel."
        )
    if isinstance(layer, Explanation):
        layer = layer.values
    elif isinstance(layer, HasWeights):
        layer = layer.weights()
    if not isinstance(layer, Tensor):
        raise TypeError(
            f"{owner} needs {name} of layer {number} as a tensor, got {type(layer).__name__}; "
            "torch.as_tensor makes one of an array."
        )
    if layer.ndim != 4 or 0 in layer.shape[1:]:
        raise ValueError(
            f"{owner} needs {name} of layer {number} as [batch, heads, q_len, k_len], with at "
            f"least one head, query and key, got {[*layer.shape]}."
        )
    if not layer.is_floating_point():
        raise TypeError(
            f"{owner} needs {name} of layer {number} as floating-point numbers, got {layer.dtype}; "
            "say .float()."
        )
    return layer


def _require_numbers(what: str, layer: Tensor, signed: bool) -> None:
    seen = layer.detach()
    bad = ~seen.isfinite()
    if bad.any():
        raise ValueError(
            f"{what} is not finite ({seen[bad][0].item()}) at {where(bad)}; look for an overflow, "
            "or for a row in which everything is masked."
        )
    if not signed and (seen < 0).any():
        raise ValueError(
            f"{what} is negative ({seen[seen < 0][0].item():.4g}) at {where(seen < 0)}; give the "
            "weights after normalizing, not scores."
        )


def _require_normalized(what: str, layer: Tensor) -> None:
    tolerance = TOLERANCE if layer.dtype.itemsize >= 4 else HALF_TOLERANCE
    sums = layer.detach().to(torch.promote_types(layer.dtype, torch.float32)).sum(-1)
    bad = ((sums - 1).abs() > tolerance) & (sums != 0)
    if bad.any():
        raise ValueError(
            f"{what} sums to {sums[bad][0].item():.4g} in the row {where(bad)}, and each must sum "
            "to 1 or be zero; give the weights before dropout, or regard.explain.normalized of "
            "them."
        )


def where(bad: Tensor) -> str:
    """The first place that is True, in words.

    >>> where(torch.eye(2)[None, None] == 0)
    'batch 0, head 0, query 0, key 1'
    """
    first = bad.nonzero()[0].tolist()
    return ", ".join(f"{name} {place}" for name, place in zip(HEADS, first, strict=False))


def require_same_shapes(
    owner: str, first: Sequence[Tensor], second: Sequence[Tensor], names: tuple[str, str]
) -> None:
    """Raise `ValueError` if two networks' tensors differ in layers or shapes."""
    if len(first) != len(second):
        raise ValueError(
            f"{owner} needs {names[0]} and {names[1]} of the same layers, got {len(first)} and "
            f"{len(second)} of them."
        )
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        if one.shape != other.shape:
            raise ValueError(
                f"{owner}: in layer {number}, {names[0]} has the shape {[*one.shape]} and "
                f"{names[1]} {[*other.shape]}; give both of the same call."
            )


def require_chain(owner: str, layers: Sequence[Tensor], name: str = "weights") -> None:
    """Raise `ValueError` if a layer does not read as many tokens as the one below it outputs."""
    for number, (below, layer) in enumerate(zip(layers, layers[1:], strict=False), 1):
        if layer.shape[3] != below.shape[2]:
            raise ValueError(
                f"{owner}: layer {number} of {name} reads {layer.shape[3]} tokens and layer "
                f"{number - 1} gives {below.shape[2]}; give layers of one stack, the first one "
                "first (cross-attention has cross_rollout)."
            )


def require_pairs(owner: str, selves: list[Tensor], crosses: list[Tensor]) -> None:
    """Raise `ValueError` if self- and cross-attention are not from the same layers."""
    if len(selves) != len(crosses):
        raise ValueError(
            f"{owner} needs decoder and cross of the same layers, got {len(selves)} and "
            f"{len(crosses)} of them."
        )
    for number, (own, other) in enumerate(zip(selves, crosses, strict=True)):
        if (own.shape[0], own.shape[2]) != (other.shape[0], other.shape[2]):
            raise ValueError(
                f"{owner}: in layer {number}, decoder is of {own.shape[0]} items with "
                f"{own.shape[2]} queries, cross of {other.shape[0]} with {other.shape[2]}; give "
                "both of the same call."
            )


def require_source(owner: str, crosses: list[Tensor], below: Tensor) -> None:
    """Raise `ValueError` if cross-attention does not read the encoder's output."""
    for number, other in enumerate(crosses):
        if (other.shape[0], other.shape[3]) != (below.shape[0], below.shape[1]):
            raise ValueError(
                f"{owner}: cross of layer {number} reads {other.shape[3]} tokens of "
                f"{other.shape[0]} items, and the encoder gives {below.shape[1]} of "
                f"{below.shape[0]}; give both of the same call."
            )


def require_share(owner: str, name: str, share: float) -> float:
    """A number from 0 up to, but not including, 1; raises `ValueError` for any other."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 <= share < 1.0:
        raise ValueError(f"{owner} needs {name} from 0 up to, but not including, 1, got {share!r}.")
    return float(share)


def positions_in(owner: str, name: str, places: Iterable[int], size: int) -> list[int]:
    """Indices along an axis of `size`, counted from its start; negative ones from its end.

    >>> positions_in("sink_mass", "keys", [0, -1], 5)
    [0, 4]
    """
    chosen = list(places)
    if not chosen:
        raise ValueError(f"{owner} needs at least one of {name}, got none.")
    for place in chosen:
        if isinstance(place, bool) or not isinstance(place, int):
            raise TypeError(f"{owner} needs {name} as whole numbers, got {place!r}.")
        if not -size <= place < size:
            raise IndexError(
                f"{owner}: {name} has {place}, and there are {size}: they go from 0 to {size - 1}."
            )
    return [place % size for place in chosen]
