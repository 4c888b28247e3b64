"""Ablating heads of a network while it runs."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from regard.explain._layers import positions_in
from regard.explain._named_modules import module_named, number_of_heads, output_projection
from regard.layers import Attend


@dataclass(frozen=True)
class Ablation:
    """What is ablated, and how often each of these modules has been called since.

    Args:
        heads: the name of a module → its heads.
        places: the name of a module → that of the projection whose input is changed, or of the
            `Attend` whose output is.
        calls: the name of a module → how often that was called.
    """

    heads: Mapping[str, tuple[int, ...]]
    places: Mapping[str, str]
    calls: dict[str, int] = field(default_factory=dict)


@contextmanager
def ablated(
    model: nn.Module, heads: Mapping[str, Iterable[int]], *, of: int | None = None
) -> Iterator[Ablation]:
    """Run a network without some of its heads: their contribution is zero.

        with ablated(model, {"decoder.layers.0.self_attn": [3, 5]}): model(x)

    The output projection reads the concatenated outputs of the heads; a pre-hook sets the columns
    of these heads to zero. This works in every module that calls such a projection, under any
    kernel, with gradients. `nn.MultiheadAttention` uses its projection's matrix without calling the
    projection: there the matrix has zeros in these columns while the module runs. In our own
    layers, the operator's output is changed, so that heads need not be concatenated. No parameter
    is changed, and everything is restored at the end.

    Args:
        heads: the name in `named_modules()` of an attention module, or of the projection itself,
            and which of its heads. The projection is searched for inside the module, then next to
            it, by its usual names.
        of: the number of heads, if neither the module nor an enclosing one says so.

    Yields:
        An `Ablation`, which counts the calls.

    Raises:
        ValueError, TypeError, IndexError: no such module (with the nearest names) or head, no
            projection found, or a width that is not a multiple of the heads.
        RuntimeError: at exit, if a module was not called; compiled code does not see hooks.

    Example:
        >>> from regard.layers import MultiHeadAttention
        >>> layer, x = MultiHeadAttention(8, 2), torch.randn(1, 3, 8)
        >>> with ablated(layer, {"": [0, 1]}):
        ...     gone = layer(x)
        >>> torch.equal(gone, layer.output.bias.expand(1, 3, 8))
        True

    References:
        Michel, Levy & Neubig. Are Sixteen Heads Really Better than One?. 2019.
        https://arxiv.org/abs/1905.10650
    """
    found: dict[str, tuple[int, ...]] = {}
    places: dict[str, str] = {}
    done = Ablation(found, places)
    with ExitStack() as stack:
        for name, chosen in heads.items():
            count = number_of_heads("ablated", model, name) if of is None else of
            found[name] = tuple(sorted(set(positions_in("ablated", "heads", chosen, count))))
            done.calls[name] = 0
            module = module_named("ablated", model, name)
            ours = [n for n, each in module.named_modules() if isinstance(each, Attend)]
            if isinstance(module, nn.MultiheadAttention):
                places[name] = f"{name}.out_proj".lstrip(".")
                _shadow(stack, done, name, module, count)
            elif len(ours) == 1:
                places[name] = ".".join(each for each in (name, *ours) if each)
                _zero_output(stack, done, name, module, module.get_submodule(ours[0]), count)
            else:
                places[name], module = output_projection("ablated", model, name)
                _zero_input(stack, done, name, module, count)
        yield done
    # Only where nothing else was raised.
    for name, calls in done.calls.items():
        if not calls:
            raise RuntimeError(
                f"{places[name]!r} was not called, so that no head of {name!r} was taken out; "
                "run the model inside the block, and not a compiled copy of it."
            )


def _zero_input(
    stack: ExitStack, done: Ablation, name: str, projection: nn.Module, count: int
) -> None:
    def without(_: nn.Module, args: Any) -> Any:
        done.calls[name] += 1
        joined = args[0]
        return (joined * _kept(name, joined, joined.shape[-1], count, done.heads[name]), *args[1:])

    stack.callback(projection.register_forward_pre_hook(without).remove)


def _zero_output(
    stack: ExitStack, done: Ablation, name: str, module: nn.Module, attend: nn.Module, count: int
) -> None:
    # The same `Attend` may be that of other layers too.
    depth = 0

    def enter(*_: Any) -> None:
        nonlocal depth
        depth += 1

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    def without(_: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if not depth:
            return None
        done.calls[name] += 1
        if output.shape[1] != count:
            raise ValueError(
                f"ablated: {name!r} attends with {output.shape[1]} heads, and {count} were said."
            )
        gone = torch.tensor(done.heads[name], device=output.device)
        return output.index_fill(1, gone, 0.0)

    stack.callback(module.register_forward_pre_hook(enter).remove)
    stack.callback(attend.register_forward_hook(without).remove)
    stack.callback(module.register_forward_hook(leave, always_call=True).remove)


def _shadow(
    stack: ExitStack, done: Ablation, name: str, module: nn.MultiheadAttention, count: int
) -> None:
    projection: Any = module.out_proj

    def hide(*_: Any) -> None:
        done.calls[name] += 1
        weight = projection.weight
        kept = _kept(name, weight, weight.shape[-1], count, done.heads[name])
        # An attribute of the instance goes before the parameter of this name.
        vars(projection)["weight"] = weight * kept

    def show(*_: Any) -> None:
        vars(projection).pop("weight", None)

    stack.callback(show)
    stack.callback(module.register_forward_pre_hook(hide).remove)
    stack.callback(module.register_forward_hook(show, always_call=True).remove)


def _kept(name: str, like: Tensor, width: int, count: int, heads: tuple[int, ...]) -> Tensor:
    """1 for the columns that stay, 0 for those of the heads."""
    if width % count:
        raise ValueError(
            f"ablated: the projection of {name!r} reads {width} columns, no multiple of {count} "
            "heads; say how many there are: of=12, say."
        )
    kept = torch.ones(count, width // count, dtype=like.dtype, device=like.device)
    kept[list(heads)] = 0
    return kept.flatten()
