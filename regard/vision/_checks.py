"""Argument checks of blocks, with common error messages."""

from collections.abc import Collection
from typing import Any

from torch import Tensor, fx, nn

from regard._pairwise import Count
from regard._printable import shown
from regard._torch_private import quiet_trace


def hidden_channels(channels: int, reduction: int, at_least: int = 1) -> int:
    """Channels of a bottleneck: `channels // reduction`, at least one.

    >>> hidden_channels(64, 16), hidden_channels(8, 16)
    (4, 1)
    """
    return max(at_least, channels // reduction)


def require_counts(block: str, **counts: Count) -> None:
    """Raise `ValueError` for anything but an integer of at least 1."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{block} needs a whole {name} of at least 1, got {count!r}")


def require_choice(block: str, name: str, value: Any, choices: Collection[Any]) -> None:
    """Raise `ValueError` for a value that is not one of the choices."""
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise ValueError(f"{block} needs {name} to be one of {[*choices]}, got {value!r}")


def require_divisible(block: str, channels: int, by: str, count: int) -> None:
    """Raise `ValueError` for channels that cannot be divided evenly."""
    if channels % count:
        raise ValueError(
            f"{block} shares its channels out evenly and cannot do so with {channels} channels and "
            f"{by}={count}: say {by} for a number that divides {channels}"
        )


def require_values(block: str, norm: nn.Module, values: Tensor) -> None:
    """Raise `ValueError` where a batch norm in training has a single value per channel.

    A single value is its own mean, with variance 0: the norm would return zeros for any input.
    Blocks raise rather than fall back to the running statistics: what is learned must not depend
    on the batch size. `nn.SyncBatchNorm` counts the values of all processes itself.
    """
    if not (isinstance(norm, BATCH_NORMS) and norm.training):
        return
    if values.numel() == values.shape[1]:
        raise ValueError(
            f"{block} normalizes over the batch in training, and this one holds one value for each "
            f"of {values.shape[1]} channels: give it two images or more, or call eval() on it"
        )


BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def require_odd(block: str, name: str, size: int) -> None:
    """Raise `ValueError` for an even kernel size."""
    require_counts(block, **{name: size})
    if size % 2 == 0:
        raise ValueError(
            f"{block} needs an odd {name}, so that a place stands in the middle of its kernel; got "
            f"{size}: make it {size - 1} or {size + 1}"
        )


def require_maps(block: str, x: Tensor, channels: int, dims: int | None = None) -> None:
    """Raise for what is no `[batch, channels, *places]`, of `dims` kinds of places if given."""
    with quiet_trace():
        _require_maps(block, x, channels, dims)


def _require_maps(block: str, x: Tensor, channels: int, dims: int | None) -> None:
    wanted = f"[batch, {channels} channels, {_PLACES.get(dims or 0, '*places')}]"
    if isinstance(x, fx.Proxy):
        raise TypeError(
            f"torch.fx traces into {block}, which asks for sizes: have it one node of the graph, "
            "by a Tracer whose is_leaf_module says so (or set_non_traceable_module_classes of "
            "prepare_fx)"
        )
    if not isinstance(x, Tensor):
        raise TypeError(f"{block} reads a tensor {wanted}, got {shown(type(x).__name__)}")
    if x.ndim < 3 or (dims is not None and x.ndim != 2 + dims):
        raise ValueError(f"{block} reads {wanted}, got {[*x.shape]}")
    if x.shape[1] != channels:
        raise ValueError(
            f"{block} was made for {channels} channels, got {x.shape[1]} in {[*x.shape]}; channels "
            "stand behind the batch"
        )
    if x.is_quantized:
        raise TypeError(
            f"{block} computes in floating point, got quantized maps ({x.dtype}): keep the module "
            "that it stands at out of quantization (qconfig = None)"
        )
    if not x.is_floating_point():
        raise TypeError(f"{block} reads floating-point maps, got {x.dtype}; say x.float()")
    if 0 in x.shape[2:]:
        raise ValueError(f"{block} reads maps with at least one place, got {[*x.shape]}")


_PLACES = {1: "length", 2: "height, width", 3: "time, height, width"}


def require_flag(block: str, name: str, given: object) -> None:
    """Raise `ValueError` for an option that is neither True nor False."""
    if not isinstance(given, bool):
        raise ValueError(f"{block} needs True or False as {name}, got {given!r}")


def require_share(block: str, name: str, given: object) -> float:
    """A probability below 1; it raises `ValueError` for anything else."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0.0 <= given < 1.0:
        raise ValueError(
            f"{block} needs a {name} from 0 up to, but not including, 1, got {given!r}"
        )
    return float(given)
