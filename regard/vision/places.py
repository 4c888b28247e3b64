"""Which modules of a network `after=` and `before=` select, and whether a block can go there."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from regard._nearest import nearest
from regard._printable import shortened, shown
from regard.vision.plan import inserted
from regard.vision.probe import Frame, Trace, keeps_no_block
from regard.vision.structure import (
    Ends,
    behind_convolution,
    branch_ends,
    convolutions_of,
    stage_ends,
)

Wanted = str | type[nn.Module] | Sequence[str | type[nn.Module]]
"""A pattern of names, a class, or several of these."""

STAGE, SUM = "stage", "sum"
AFTER_CONVOLUTION = re.compile(r"after_conv([1-9])")
"""mmdetection's names of the places in a residual block."""
MOST_SAID = 3
"""How many places a message lists."""


@dataclass(frozen=True)
class Found:
    """A place where a block can go: what one forward pass shows about it."""

    module: str
    where: str
    channels: int
    calls: int
    norm: str | None


def find(
    model: nn.Module,
    trace: Trace,
    in_turn: Collection[str],
    after: Wanted | None,
    before: Wanted | None,
) -> tuple[list[Found], list[str]]:
    """The places that are meant, in the network's order, and what is to be said of others.

    Raises `ValueError` that says which of them cannot have a block, and why.
    """
    places, remarks = _meant(model, trace, in_turn, after, before)
    found, faults = [], []
    for where, name in places:
        try:
            found.append(_examined(model, trace, where, name))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        more = f"; and {len(faults) - MOST_SAID} more" if len(faults) > MOST_SAID else ""
        raise ValueError(
            f"{len(faults)} of {len(places)} places cannot have a block: "
            f"{'; '.join(faults[:MOST_SAID])}{more}; name others, or several patterns in a list"
        )
    order = {name: number for number, name in enumerate(trace.names.values())}
    return sorted(found, key=lambda each: order[each.module]), remarks


def _meant(
    model: nn.Module,
    trace: Trace,
    in_turn: Collection[str],
    after: Wanted | None,
    before: Wanted | None,
) -> tuple[list[tuple[str, str]], list[str]]:
    words: dict[Any, Callable[[], Ends]] = {
        ("after", STAGE): lambda: stage_ends(trace),
        ("before", SUM): lambda: branch_ends(trace),
    }
    if (after is None) == (before is None):
        raise ValueError("say either after= or before=, which modules the block is to stand at")
    where, wanted = ("after", after) if before is None else ("before", before)
    places: list[tuple[str, str]] = []
    remarks: list[str] = []
    several: Any = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    for each in several:
        place = AFTER_CONVOLUTION.fullmatch(each) if isinstance(each, str) else None
        is_word = (where, each) in words or (where == "after" and place is not None)
        if is_word and each in trace.names.values():
            raise ValueError(
                f"{each!r} is a word here and the name of a module: write '[{str(each)[0]}]"
                f"{str(each)[1:]}' for the module"
            )
        if (where, each) in words:
            new = words[where, each]()
            lacks, ones = (
                ("no stage", "ends of stages")
                if each == STAGE
                else ("no residual sum of a branch", "residual branches")
            )
        elif where == "after" and place is not None:
            mine = {name for name in convolutions_of(trace) if not _is_within(name, model)}
            new = behind_convolution(trace, int(place[1]), mine)
            lacks, ones = f"no residual branch of {place[1]} convolutions or more", "such places"
        else:
            new = Ends([(where, name) for name in matching(model, each)])
        if not new.places and not new.without:
            raise ValueError(f"the network has {lacks} that one pass shows: name modules instead")
        if not new.places:
            raise ValueError(
                f"the network has {new.without} {ones}, but functions give them, and no modules "
                "that a block could hang on: name modules instead"
            )
        if new.without:
            remarks.append(
                f"no block at {new.without} of {new.without + len(new.places)} {ones}: functions "
                "give them, and no modules"
            )
        if new.remark:
            remarks.append(new.remark)
        places += new.places
    if not places:
        raise ValueError("after= and before= need a pattern, a class, or several of these")
    return list(dict.fromkeys((w, _inner(model, in_turn, name, w)) for w, name in places)), remarks


def matching(model: nn.Module, wanted: str | type[nn.Module]) -> list[str]:
    """The modules that a pattern or a class selects; raises `ValueError` if there is none.

    In a pattern `*` stands for anything but a dot, `**` for any number of names, `[*]` for `*`.
    Blocks that were inserted, and what is in them, are meant where nothing else matches.

    >>> matching(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), "Conv2d")
    ['0']
    """
    modules = dict(model.named_modules())
    own = tuple(f"{place.key}." for place, _, _ in inserted(model))
    if isinstance(wanted, type):
        names = [name for name, module in modules.items() if name and isinstance(module, wanted)]
        if not names:
            _require_parts(model, wanted.__name__)
            raise ValueError(f"the network has no module of the class {wanted.__name__}")
        return _outside(names, own)
    if not isinstance(wanted, str):
        raise TypeError(f"a place is a pattern of names or a class, got {shown(wanted)}")
    pattern = _pattern(wanted)
    names = [name for name in modules if name and pattern.fullmatch(name)]
    if not names and wanted in modules:
        names = [wanted] if wanted else []
    if names:
        return _outside(names, own)
    # A name that a module has beside its first one, for it is shared.
    shared = dict(model.named_modules(remove_duplicate=False))
    first = {module: name for name, module in modules.items()}
    names = [first[shared[name]] for name in shared if name and pattern.fullmatch(name)]
    kinds = {kind.__name__ for module in modules.values() for kind in type(module).__mro__}
    kinds -= {"object", "Module"}
    if not names and wanted in kinds:
        names = [
            name
            for name, module in modules.items()
            if name and wanted in {kind.__name__ for kind in type(module).__mro__}
        ]
    if not names:
        _require_parts(model, wanted)
        near = nearest(wanted, [name for name in [*modules, *sorted(kinds)] if name])
        raise ValueError(f"no module matches {shown(wanted)}: {shortened(near, 300)}")
    return _outside(names, own)


def names_match(pattern: str, name: str) -> bool:
    """Whether a pattern of names means this one."""
    return _pattern(pattern).fullmatch(name) is not None


def _require_parts(model: nn.Module, wanted: str) -> None:
    """Raise where what is wanted is the network itself, around which nothing checks blocks."""
    if wanted == "" or wanted in {kind.__name__ for kind in type(model).__mro__[:-2]}:
        raise ValueError(
            f"the network itself is the {type(model).__name__}, and a block stands at a module "
            "within: insert into nn.Sequential(model)"
        )


def _outside(names: list[str], own: tuple[str, ...]) -> list[str]:
    """Those that are not in blocks, unless all are."""
    return [name for name in names if not f"{name}.".startswith(own)] or names


def _is_within(name: str, model: nn.Module) -> bool:
    return name.startswith(tuple(f"{place.key}." for place, _, _ in inserted(model)))


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?|\[(?:\][^\]]*|[^\]]+)\])", text)
    said = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    written = [
        said.get(part)
        or (f"[{re.escape(part[1:-1]).replace(chr(92) + '-', '-')}]" if n % 2 else "")
        or re.escape(part)
        for n, part in enumerate(parts)
    ]
    return re.compile("".join(written))


def _inner(model: nn.Module, in_turn: Collection[str], name: str, where: str) -> str:
    """Of a row of modules its end: a block that were a child of the row would be one of them."""
    module = model.get_submodule(name)
    while (_is_compiled(module) or isinstance(module, nn.Sequential) or name in in_turn) and len(
        [*module.children()]
    ):
        if keeps_no_block(module):
            break
        child = [*dict(module.named_children())][-1 if where == "after" else 0]
        name = f"{name}.{child}" if name else child
        module = module.get_submodule(child)
    return name


def _is_compiled(module: nn.Module) -> bool:
    """Whether it wraps a module that is compiled, and has no children but that."""
    return type(module).__name__ == "OptimizedModule"


def _examined(model: nn.Module, trace: Trace, where: str, name: str) -> Found:
    """What is known of a place; raises `ValueError` where no block can stand."""
    module, calls = model.get_submodule(name), trace.calls.get(name, [])
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError(f"{name} is a ScriptModule, which nothing can be added to")
    if isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        raise ValueError(f"{name} runs its children in turn, and a block would be one; name one")
    if not calls:
        raise ValueError(f"{name} is not called by itself in the pass")
    nodes = [_node(where, name, call) for call in calls]
    shapes = [trace.nodes[node].shape for node in nodes]
    for node, shape in zip(nodes, shapes, strict=True):
        if node not in trace.maps:
            has = "gives" if where == "after" else "is given"
            raise ValueError(f"{name} {has} {[*shape]}, no map [batch, channels, *places]")
    channels = {shape[1] for shape in shapes}
    if len(channels) > 1:
        raise ValueError(
            f"{name} is called {len(calls)} times with {' and '.join(map(str, sorted(channels)))} "
            "channels, and a block has one number of them"
        )
    norm = _norm_behind(model, trace, calls) if where == "after" else None
    return Found(name, where, channels.pop(), len(calls), norm)


def _node(where: str, name: str, frame: Frame) -> int:
    if where == "before":
        if not frame.leads:
            raise ValueError(f"{name} is given no tensor as its first argument")
        return frame.inputs[0]
    if not frame.single:
        raise ValueError(
            f"{name} gives {'None' if frame.gives == 'NoneType' else 'a ' + frame.gives}, and no "
            "single tensor"
        )
    return frame.outputs[0]


def _norm_behind(model: nn.Module, trace: Trace, calls: Iterable[Frame]) -> str | None:
    """The batch norm that reads what a module gives."""
    given = {node for call in calls for node in call.outputs}
    readers = (frame for frame in trace.frames if given.intersection(frame.inputs))
    norms = (f.name for f in readers if isinstance(model.get_submodule(f.name), _BatchNorm))
    return next(norms, None)
