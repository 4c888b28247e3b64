"""Ownership of a part's tensors: a module around it, which trains, moves and saves them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, ClassVar

from torch import Tensor, nn

from regard._torch_private import is_traced

Path = tuple[str, ...]
_FUNCTIONS = (type, FunctionType, MethodType, BuiltinFunctionType)


def own(part: Any) -> Any:
    """The part itself, or a `PartModule` around it where a field holds a tensor or a module.

    Modules and parts without tensors are returned unchanged. A function's closure is not
    inspected: what it captures belongs to its author.

    Raises:
        TypeError: an object that is neither a dataclass nor a module holds a tensor, which no
            layer could train, move or save.

    >>> import torch
    >>> from regard.scores import ScaledDot
    >>> own(ScaledDot(0.5)), type(own(ScaledDot(nn.Parameter(torch.ones(()))))).__name__
    (ScaledDot(scale=0.5), 'PartModule')
    """
    return part if isinstance(part, nn.Module) or not _holds(part) else PartModule(part)


def unwrapped(part: Any) -> Any:
    """The part inside a `PartModule`; anything else unchanged."""
    return part.part if isinstance(part, PartModule) else part


class PartModule(nn.Module):
    """A module that owns the tensors of a part that is not a module itself.

    A frozen dataclass such as `Bias(tensor)` or `ScaledDot(scale)` may hold tensors, also in parts
    of parts (`mask.left.tensor`). Here each `nn.Parameter` in it is a parameter and every other
    tensor a persistent buffer, under the names of the fields; modules in it are submodules.
    `part` is the dataclass with the current tensors: moved, loaded or swapped. Calling the module
    calls the part, and the part's other attributes are forwarded.

    A tensor that two fields share is registered once, under the first of them, and stays shared.

    Example:
        >>> import torch
        >>> from regard.masks import Causal, Dense
        >>> mask = PartModule(Causal() & Dense(torch.ones(3, 3, dtype=torch.bool)))
        >>> list(mask.state_dict()), mask.to("meta").part.right.tensor.device
        (['right.tensor'], device(type='meta'))
    """

    holds_part: ClassVar[bool] = True
    """Tells the operator to use `part` instead."""

    def __init__(self, part: Any) -> None:
        super().__init__()
        self._kept: tuple[list[Any], Any] | None = None
        recipe = _Register(self).recipe(part, ())
        self._places = list(_places(recipe))
        # Last: from here on an unknown attribute is the part's.
        self._recipe = recipe

    @property
    def part(self) -> Any:
        """The part, built from the currently registered tensors and modules."""
        held = [unwrapped(_at(self, path)) for path in self._places]
        if is_traced():
            return _made(self._recipe, iter(held))
        kept = self._kept
        if kept is not None and all(old is new for old, new in zip(kept[0], held, strict=True)):
            return kept[1]
        part = _made(self._recipe, iter(held))
        # A computed tensor, such as a parametrized one, would keep its graph alive.
        leaves = all(tensor.is_leaf for tensor in held if isinstance(tensor, Tensor))
        self._kept = (held, part) if leaves else None
        return part

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.part(*given, **named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # What the part is made of cannot be asked of the part: it would be made for that.
            known = name == "part" or (name,) in self.__dict__.get("_places", ())
            if known or name.startswith("_") or "_recipe" not in self.__dict__:
                raise
        return getattr(self.part, name)

    def _apply(self, *given: Any, **named: Any) -> Any:
        self._kept = None
        return super()._apply(*given, **named)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def __repr__(self) -> str:
        return repr(self.part)


@dataclass(frozen=True)
class _Place:
    """Where in the module something is registered."""

    path: Path


@dataclass(frozen=True)
class _Recipe:
    """How to make a value again: its class and, by name, what it is made of."""

    kind: type
    made_of: dict[str, Any]


class _Register:
    """Walks through a part once and registers what it finds in a module."""

    def __init__(self, root: nn.Module) -> None:
        self.root = root
        self.seen: dict[int, _Place] = {}

    def recipe(self, value: Any, path: Path) -> Any:
        """What stands for `value` where tensors are left out."""
        if isinstance(value, (Tensor, nn.Module)):
            if id(value) not in self.seen:
                self.seen[id(value)] = _Place(self._registered(value, path))
            return self.seen[id(value)]
        if not _holds(value):
            return value
        made_of = _fields(value)
        if made_of is None:
            raise TypeError(
                f"{type(value).__name__} holds tensors, but is neither a dataclass nor an "
                "nn.Module, so that no layer could train, move or save them: make it one of them."
            )
        return _Recipe(
            type(value), {name: self.recipe(held, (*path, name)) for name, held in made_of.items()}
        )

    def _registered(self, value: Tensor | nn.Module, path: Path) -> Path:
        node, names = self.root, tuple(_free(name) for name in path)
        for name in names[:-1]:
            if name not in node._modules:
                node.add_module(name, nn.Module())
            node = node.get_submodule(name)
        if isinstance(value, nn.Module):
            node.add_module(names[-1], value)
        elif isinstance(value, nn.Parameter):
            node.register_parameter(names[-1], value)
        else:
            persistent = getattr(value, "persistent", True)
            node.register_buffer(names[-1], value, persistent=persistent)
        return names


def _free(name: str) -> str:
    """The name of a field where a module has nothing else of this name."""
    name = name.replace(".", "_")
    return f"{name}_" if not name or hasattr(PartModule, name) or name == "training" else name


def _fields(value: Any) -> Mapping[str, Any] | None:
    """What a value is made of, by name; None where its class cannot be made again from it."""
    if is_dataclass(value) and not isinstance(value, type):
        own_init = not _generated(type(value))
        return {f.name: getattr(value, f.name) for f in fields(value) if f.init or own_init}
    if isinstance(value, (tuple, list)):
        return {str(number): held for number, held in enumerate(value)}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return value
    if isinstance(value, partial):
        return {"func": value.func, "args": value.args, "keywords": value.keywords}
    return None


def _generated(kind: Any) -> bool:
    """Whether a dataclass is made by giving its fields, as `dataclasses.replace` does it."""
    return bool(kind.__dataclass_params__.init)


def _holds(value: Any) -> bool:
    """Whether a tensor or a module is somewhere in a part."""
    if isinstance(value, (Tensor, nn.Module)):
        return True
    made_of = _fields(value)
    if made_of is None:
        plain = callable(value) and not isinstance(value, _FUNCTIONS) and hasattr(value, "__dict__")
        made_of = vars(value) if plain else {}
        return any(isinstance(held, (Tensor, nn.Module)) for held in made_of.values())
    return any(_holds(held) for held in made_of.values())


def _places(recipe: Any) -> Iterator[Path]:
    """Where everything is that a part is made of, in the order in which it is needed."""
    if isinstance(recipe, _Place):
        yield recipe.path
    elif isinstance(recipe, _Recipe):
        for held in recipe.made_of.values():
            yield from _places(held)


def _at(module: Any, path: Path) -> Any:
    """What is registered there; `getattr` would find it too, but take four times as long."""
    for node in path[:-1]:
        module = module._modules[node]
    name = path[-1]
    for registered in (module._parameters, module._buffers, module._modules):
        if name in registered:
            return registered[name]
    # A parametrized tensor is a property.
    return getattr(module, name)


def _made(recipe: Any, held: Iterator[Any]) -> Any:
    """The value again, of what is registered now."""
    if isinstance(recipe, _Place):
        return next(held)
    if not isinstance(recipe, _Recipe):
        return recipe
    made_of = {name: _made(inner, held) for name, inner in recipe.made_of.items()}
    if issubclass(recipe.kind, dict):
        return recipe.kind(made_of)
    if issubclass(recipe.kind, (tuple, list)):
        make = getattr(recipe.kind, "_make", recipe.kind)
        return make(made_of.values())
    if issubclass(recipe.kind, partial):
        return recipe.kind(made_of["func"], *made_of["args"], **made_of["keywords"])
    if _generated(recipe.kind):
        return recipe.kind(**made_of)
    part = object.__new__(recipe.kind)
    for name, value in made_of.items():
        object.__setattr__(part, name, value)
    return part
