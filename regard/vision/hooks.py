"""The hooks that run an inserted block, and those that check it is still in place."""

import copy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.padding import _CircularPadNd

from regard._torch_private import forward_hooks, forward_pre_hooks, record_leaves
from regard.vision.place import Place

NO_SCRIPT = (
    "blocks that were inserted cannot be scripted: use torch.jit.trace or torch.export, or "
    "regard.remove(model) before torch.jit.script"
)
OPAQUE = (_NormBase, _DropoutNd, _CircularPadNd, nn.CrossMapLRN2d, nn.Softmax2d, nn.RReLU)
"""Modules that `torch.fx` cannot trace into: they ask for axes, or whether they are trained."""


class Tie:
    """Ties the block at a batch norm to the convolution in front of it.

    Each copy counts the blocks that were copied with it: a convolution that was copied alone, as
    fusing does, has none.

    Args:
        blocks: the number of blocks that hold it.
    """

    def __init__(self, blocks: int = 0) -> None:
        self.blocks = blocks

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tie":
        return memo.setdefault(id(self), Tie())


class Tied:
    """A forward pre-hook of a convolution: the block at the norm behind it is still there.

    It is lost without a trace where the two are fused in a graph, in which the modules around them
    are not called.
    """

    def __init__(self, place: Place, tie: Tie) -> None:
        self.place, self.tie = place, tie

    @property
    def __name__(self) -> str:
        raise AttributeError(NO_SCRIPT)

    def __call__(self, module: nn.Module, args: Any) -> None:
        if not self.tie.blocks:
            raise RuntimeError(gone(self.place))


class Behind:
    """A forward hook: the module's output goes through the block that is its child.

    It holds no tensor, and is copied or pickled with its module.
    """

    outer: "Guard | None" = None
    """One that was pickled before there were two guards has none."""

    def __init__(
        self,
        place: Place,
        guard: "Guard | None",
        tie: Tie | None = None,
        outer: "Guard | None" = None,
    ) -> None:
        self.place, self.guard, self.tie, self.outer = place, guard, tie, outer
        if tie is not None:
            tie.blocks += 1

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        return _applied(self.block_of(module), output)

    def hang_on(self, module: nn.Module) -> None:
        """Act from now on in each call of the module."""
        module.register_forward_hook(self)

    def block_of(self, module: nn.Module) -> Any:
        """The block; raises `RuntimeError` if copying or fusing detached it."""
        block = getattr(module, self.place.name, None)
        if block is None:
            raise RuntimeError(gone(self.place))
        if self.guard is None and self.place.norm is not None:
            raise RuntimeError(
                f"{self.place.module} was copied without the network around it, as fusing it with "
                f"the batch norm {self.place.norm} does, and the block {self.place.name!r} stands "
                "between the two; regard.remove(model) before fusing"
            )
        return block

    @property
    def __name__(self) -> str:
        raise AttributeError(NO_SCRIPT)  # torch.jit.script asks for it, and shows this

    def __deepcopy__(self, memo: dict[int, Any]) -> "Behind":
        # A network's hooks are copied before its children: where the guard was not, it is not part
        # of what is being copied.
        tie = None if self.tie is None else copy.deepcopy(self.tie, memo)
        return type(self)(self.place, memo.get(id(self.guard)), tie, memo.get(id(self.outer)))

    def unwatch(self) -> None:
        """Have nothing ask any more whether the block is there."""
        for guard in (self.guard, self.outer):
            if guard is not None:
                guard.watched = [each for each in guard.watched if each.place != self.place]


class InFront(Behind):
    """A forward pre-hook: the module's input goes through the block that is its child."""

    def __call__(self, module: nn.Module, args: Any, kwargs: Any = None) -> Any:
        # Who moves hooks from module to module, as fusing does, may leave out the keywords.
        block = self.block_of(module)
        if args:
            args = (_applied(block, args[0]), *args[1:])
        elif kwargs:
            first = next(iter(kwargs))
            kwargs = {**kwargs, first: _applied(block, kwargs[first])}
        return args if kwargs is None else (args, kwargs)

    def hang_on(self, module: nn.Module) -> None:
        module.register_forward_pre_hook(self, with_kwargs=True)


def _applied(block: Any, x: Any) -> Any:
    if isinstance(x, fx.Proxy):
        # In a graph of `symbolic_trace` a block is one node, as PyTorch's own modules are: what it
        # asks of the shapes has no answer there.
        tracer: Any = x.tracer
        return tracer.create_proxy("call_module", tracer.path_of_module(block), (x,), {})
    return block(x)


@dataclass(frozen=True)
class Watched:
    """A place relative to the module that guards it.

    Args:
        anywhere: whether it may have moved, as in a row that was renumbered or a part that was
            wrapped, to any other place within.
    """

    place: Place
    path: tuple[str, ...]
    norm: tuple[str, ...] | None = None
    anywhere: bool = False

    def is_there(self, module: nn.Module) -> bool:
        """Whether a module that guards it still has the block."""
        found = _at(module, self.path)
        # Wrappers that call a module as it is, such as adapters, keep it within.
        if any(_has_block(part, self.place) for part in _parts(found)):
            return True
        row = _at(module, self.path[:-1])
        if self.anywhere:
            return any(_has_block(part, self.place) for part in module.modules())
        # In a row that something was put into or taken out of, it has another number.
        return isinstance(row, (nn.Sequential, nn.ModuleList)) and any(
            _has_block(part, self.place) for part in row
        )


class Guard:
    """A forward pre-hook of an enclosing module that checks that blocks are still in place.

    A forward hook is silently lost when its module is replaced by another, as fusing does. One
    guard stands right around the module, and goes along with what is around it; another at the
    network, for what is around it may be replaced as well.
    """

    def __init__(self) -> None:
        self.watched: list[Watched] = []

    @property
    def __name__(self) -> str:
        raise AttributeError(NO_SCRIPT)

    def __call__(self, module: nn.Module, args: Any) -> None:
        for each in self.watched:
            place = each.place
            if not each.is_there(module):
                raise RuntimeError(gone(place, _at(module, each.path)))
            if each.norm is not None and not any(
                isinstance(part, _BatchNorm) for part in _parts(_at(module, each.norm))
            ):
                raise RuntimeError(
                    f"the block {place.name!r} stands between {place.module} and the batch norm "
                    f"{place.norm}, which is gone, as after fusing the two; regard.remove(model) "
                    "before fusing, or insert the block after the batch norm or the activation"
                )


def _parts(found: Any) -> Iterator[nn.Module]:
    """A module and what is in it, if it is one."""
    return found.modules() if isinstance(found, nn.Module) else iter(())


def _blocks_at(module: nn.Module) -> list[Behind]:
    hooks = (*forward_pre_hooks(module).values(), *forward_hooks(module).values())
    return [hook for hook in hooks if isinstance(hook, Behind)]


def _hooks(module: nn.Module, place: Place) -> list[Behind]:
    return [hook for hook in _blocks_at(module) if hook.place == place]


def _has_block(module: nn.Module, place: Place) -> bool:
    return len(_hooks(module, place)) == 1 and getattr(module, place.name, None) is not None


def open_to_tracers(module: nn.Module) -> None:
    """Have `torch.fx` trace into a module of PyTorch's own, so that graphs have its block.

    Tracers make one node of a module whose `__module__` is within `torch.nn`, and quantizing
    exchanges that node's module for another.
    """
    if type(module).__module__.startswith(("torch.nn.", "torch.ao.")):
        if not isinstance(module, OPAQUE):
            module.__module__ = __name__


def close_to_tracers(module: nn.Module) -> None:
    """Undo `open_to_tracers`, unless another block or tie is left at the module."""
    hooks = [*_blocks_at(module), *forward_pre_hooks(module).values()]
    if vars(module).get("__module__") == __name__:
        if not any(isinstance(hook, (Behind, Tied)) for hook in hooks):
            del module.__module__


def _as_one_node(tracer: Any, module: nn.Module, args: Any, kwargs: Any) -> Any:
    """The node of a graph that calls a module with its blocks, or None where it has none.

    For what a tracer does not trace into. A `call_module` node would be like any other: passes over
    graphs leave it out, or exchange its module, and nothing is left that knows of a block.
    """
    places = [hook.place for hook in _blocks_at(module)]
    if not places:
        return None
    if type(tracer).__name__ == "QuantizationTracer" and isinstance(module, OPAQUE):
        raise RuntimeError(lost(places[0]))  # it exchanges modules by their names, too
    has = tuple(f"{place.name} {place.where} {place.module}" for place in places)
    found = tracer.create_proxy("get_attr", tracer.path_of_module(module), (), {})
    return tracer.create_proxy("call_function", with_blocks, (found, has, *args), kwargs)


record_leaves(_as_one_node)


def with_blocks(module: nn.Module, has: Sequence[str], *args: Any, **kwargs: Any) -> Any:
    """Call a module that has these blocks, such as `"se after layer1.0.bn2"`.

    Raises `RuntimeError` where one of them is gone: the module is another one.
    """
    there = {(hook.place.name, hook.place.where) for hook in _blocks_at(module)}
    for name, where, of in (each.split(" ", 2) for each in has):
        if (name, where) not in there or getattr(module, name, None) is None:
            raise RuntimeError(_gone(name, where, of, f" by a {type(module).__name__}"))
    return module(*args, **kwargs)


def forget_compiled() -> None:
    """Have networks compiled anew: the code that is there assumes that hooks stay as they were."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


def gone(place: Place, found: Any = None) -> str:
    """The error message for a block that is no longer in place, where `found` is now."""
    is_other = isinstance(found, nn.Module) and not _hooks(found, place)
    by = f" by a {type(found).__name__}" if is_other else ""
    return _gone(place.name, place.where, place.module, by)


def lost(place: Place) -> str:
    """The error message for a block whose module quantizing would replace without it."""
    return (
        f"the block {place.name!r} {place.where} {place.module} would be lost where that module is "
        "quantized; regard.remove(model) before prepare_fx, or insert the block after the "
        "activation, the whole stage or residual block"
    )


def _gone(name: str, where: str, module: str, by: str) -> str:
    return (
        f"the block {name!r} {where} {module} is gone: the module was replaced{by}, as fusing and "
        "converting do; regard.remove(model) before, and insert the block afterwards, or around "
        f"the modules that are fused; if it is meant to be gone, regard.remove(model, {module!r})"
    )


def _at(module: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        module = getattr(module, name, None)
    return module
