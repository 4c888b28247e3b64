"""Which module is at work, what it is called, and how often it was called in one pass."""

import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn

from regard.layers.attend import Attend


class Modules:
    """The modules that run in one thread, the innermost last; a pass is one call of the outermost.

    What a module is called follows from the largest module in which it was seen to run.
    """

    def __init__(self) -> None:
        self.running: list[nn.Module] = []
        self._before: list[int] = []
        self.told = 0
        self.passes = 0
        self.counts: Counter[tuple[int, str]] = Counter()
        self.roots: dict[int, nn.Module] = {}
        self.ran: Counter[str] = Counter()

    def enter(self, module: nn.Module) -> None:
        if not self.running:
            self.passes += 1
            self.counts.clear()
            self.roots.setdefault(id(module), module)
        self.ran[type(module).__name__] += 1
        self.running.append(module)
        self._before.append(self.told)

    def leave(self, module: nn.Module) -> None:
        while self.running:
            self._before.pop()
            if self.running.pop() is module:
                return  # above it was one that ended with an exception which the network caught

    @property
    def has_told(self) -> bool:
        """Whether there was an attention since the innermost module was called."""
        return bool(self._before) and self.told > self._before[-1]

    def place(self, child: str, owner: object) -> "Place":
        """Where an attention happens now; `owner` is a parameter of the child that is meant."""
        module = self.running[-1] if self.running else None
        around = next((each for each in reversed(self.running) if type(each) is not Attend), None)
        if owner is not None:
            child = child_with(module, owner)
        self.told += 1
        call = self.counts[id(module), child]
        self.counts[id(module), child] += 1
        return Place(module, around, child, call, max(0, self.passes - 1), self.roots)


@dataclass(frozen=True, eq=False)
class Place:
    """Where one attention happens.

    Args:
        module: the innermost one that runs.
        around: the layer around it, where that is our operator with its parts chosen.
        child: the module's own child that is meant, with a point in front.
        call: how often the module attended before in this pass.
        step: the number of the pass.
        roots: what was called from outside, for its name.
    """

    module: nn.Module | None
    around: nn.Module | None
    child: str
    call: int
    step: int
    roots: dict[int, nn.Module]


class Names:
    """What modules are called: as in `model.named_modules()`, or within what was called itself."""

    def __init__(self, model: nn.Module | None) -> None:
        self._model = None if model is None else weakref.ref(model)
        self._given = {} if model is None else _names(model)
        self._tables: dict[int, dict[int, str]] = {}
        self._outermost: tuple[int, list[nn.Module]] | None = None

    def of(self, module: nn.Module | None, roots: dict[int, nn.Module]) -> str:
        """The name; empty where none is known."""
        if module is None:
            return ""
        if id(module) in self._given:
            return self._given[id(module)] or type(module).__name__
        model = None if self._model is None else self._model()
        if model is not None:
            self._given = _names(model)  # it may have got the module meanwhile
            if id(module) in self._given:
                return self._given[id(module)] or type(module).__name__
        if self._outermost is None or self._outermost[0] != len(roots):
            self._outermost = len(roots), self._holders(roots)
        holders = self._outermost[1]
        for place, root in enumerate(holders):
            name = self._tables[id(root)].get(id(module))
            if name is not None:
                several = len(holders) > 1
                return _joined(_prefix(root, holders[:place]) if several else "", name, module)
        return type(module).__name__

    def _holders(self, roots: dict[int, nn.Module]) -> list[nn.Module]:
        """The modules that were called from outside and are in no other of these."""
        for number, root in roots.items():
            if number not in self._tables:
                self._tables[number] = _names(root)
        return [
            root
            for number, root in roots.items()
            if not any(number in self._tables[other] and other != number for other in roots)
        ]


def _prefix(root: nn.Module, before: list[nn.Module]) -> str:
    kind = type(root).__name__
    same = sum(type(other).__name__ == kind for other in before)
    return f"{kind}#{same + 1}" if same else kind


def _joined(prefix: str, name: str, module: nn.Module) -> str:
    return ".".join(each for each in (prefix, name) if each) or type(module).__name__


def _names(model: nn.Module) -> dict[int, str]:
    """The names of all modules; our operator, with its parts chosen, goes by its layer's."""
    found: dict[int, str] = {}
    for name, module in model.named_modules():
        found.setdefault(id(module), name)
        own = [child for child in module.children() if type(child) is Attend]
        if name and len(own) == 1:
            found[id(own[0])] = name
    return found


def child_with(module: nn.Module | None, weight: Any) -> str:
    """The name of the child that holds a parameter, with a point in front; nothing if none does."""
    if module is None:
        return ""
    for name, child in module.named_children():
        if any(each is weight for each in child.parameters(recurse=False)):
            return f".{name}"
    return ""


def ancestors(name: str) -> Iterator[str]:
    """A name and those of the modules around it.

    >>> list(ancestors("encoder.layers.0"))
    ['encoder.layers.0', 'encoder.layers', 'encoder']
    """
    while name:
        yield name
        name = name.rpartition(".")[0]
