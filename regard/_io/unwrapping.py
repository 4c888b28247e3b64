"""A network's tensors within what others saved around them.

    {"epoch": 9, "state_dict": {"module.conv1.weight": ..., ...}, "optimizer": {...}}

Where they are is told by the contents: by the names and shapes that the network has.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from regard._printable import shortened, shown

DEPTH = 3
"""Tables within tables that are looked into."""
INNER = frozenset(("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))
"""Names that `torch.compile` and others put between those of modules, anywhere."""
OUTER = "module"
"""What `DataParallel` and its kin put before all names."""
SHARE = 0.5
"""Of the most tensors that fit in one place, the share from which on another place is a rival."""
NAMED = 4

Shape = tuple[int, ...]
Wanted = Mapping[str, Shape | None]
"""Names of a network's tensors and their shapes, None for any."""


@dataclass(frozen=True, eq=False)
class Found:
    """Tensors in one place of a checkpoint, without the prefix of their names.

    Args:
        tensors: by the network's names where they are its, else by their own.
        fitting: names of those of the network's names and shapes.
        keys: that lead to their table.
        prefix: of their names there.
        inner: what else was within names, of `INNER`.
        others: number of tensors in that table without the prefix.
    """

    tensors: Mapping[str, Tensor]
    fitting: frozenset[str]
    keys: tuple[str, ...] = ()
    prefix: str = ""
    inner: tuple[str, ...] = ()
    others: int = 0

    @property
    def part(self) -> str:
        """The place in short: `ema`, `state_dict:module.`."""
        return "/".join(self.keys) + (f":{self.prefix}" if self.prefix else "")

    def __str__(self) -> str:
        place = "".join(f"[{key!r}]" for key in self.keys)
        said = f"checkpoint{place}" if place else ""
        left = [*filter(None, [self.prefix]), *(f"{name}." for name in self.inner)]
        if left:
            said += f"{', ' if said else ''}names without {' and '.join(map(repr, left))}"
        if self.others:
            said += f" ({self.others:,} {'others' if self.others > 1 else 'other'} left)"
        return said

    def agrees(self, other: "Found") -> bool:
        """Whether what is here, too, is the same there."""
        pairs = [(self.tensors[n], other.tensors[n]) for n in self.fitting & other.fitting]
        return all(a.dtype == b.dtype and torch.equal(a.cpu(), b.cpu()) for a, b in pairs)


def shapes_of(model: nn.Module) -> dict[str, Shape | None]:
    """The names and shapes of a network's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def places(given: Any, wanted: Wanted) -> list[Found]:
    """Every place of a checkpoint with a tensor of the network, that with the most first."""
    known = {bare: name for name, bare in without_wrappers(wanted).items()}
    known |= {name: name for name in wanted}
    found = []
    for keys, table in _tables(given, ()):
        # By the name behind each prefix, the network's name.
        behind: dict[str, dict[str, str]] = {}
        plain = {name: _without_wrappers(name) for name in table}
        for name, tensor in table.items():
            parts = plain[name].split(".")
            for count in range(len(parts)):
                mine = known.get(".".join(parts[count:]))
                if mine is not None and wanted[mine] in (None, tuple(tensor.shape)):
                    prefix = "".join(f"{part}." for part in parts[:count])
                    behind.setdefault(prefix, {}).setdefault(name, mine)
        for prefix, names in behind.items():
            here = [name for name in table if plain[name].startswith(prefix)]
            tensors = {
                names.get(name, plain[name].removeprefix(prefix)): table[name] for name in here
            }
            inner = {part for name in here for part in name.split(".") if part in INNER}
            fitting, others = frozenset(names.values()), len(table) - len(here)
            found.append(Found(tensors, fitting, keys, prefix, tuple(sorted(inner)), others))
    return sorted(found, key=lambda each: (-len(each.fitting), len(each.keys), each.prefix))


def unwrapped(given: Any, wanted: Wanted, part: str | None = None) -> Found:
    """The tensors of a network in a checkpoint: as they lie there, or in the one place of most.

    Args:
        part: which of several places, as the error lists them.

    Raises `TypeError` for what is no table, and `ValueError` where no tensor is the network's, and
    where several places might be meant.

    >>> found = unwrapped({"model": {"module.a": torch.zeros(2)}, "epoch": 3}, {"a": (2,)})
    >>> list(found.tensors), str(found)
    (['a'], "checkpoint['model'], names without 'module.'")
    """
    if not isinstance(given, (Mapping, nn.Module)):
        raise TypeError(
            f"weights are a table of names and tensors, got {shown(type(given).__name__)}; read a "
            "file first, with torch.load or with safetensors' load_file"
        )
    found = places(given, wanted)
    if not found:
        raise ValueError(_no_place(given, wanted))
    if part is not None:
        named = [each for each in found if each.part == part]
        if not named:
            raise ValueError(
                f"no tensor of the network is in part {shown(part)}; there are {_parts(found)}"
            )
        return named[0]
    best = found[0]
    least = SHARE * len(best.fitting)
    rivals = [each for each in found if len(each.fitting) >= least]
    most = [each for each in rivals if len(each.fitting) == len(best.fitting)]
    as_it_lies = next((each for each in most if not each.part), None)
    if as_it_lies is not None:
        return as_it_lies
    if any(not best.agrees(each) for each in rivals[1:]):
        raise ValueError(
            f"the checkpoint has the network's tensors in {len(rivals)} places that differ; say "
            f"which: {_parts(rivals)}"
        )
    return best


def without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Names as they are, and without what `torch.compile` and `DataParallel` put around them.

    Empty where nothing is around them.

    >>> without_wrappers(["_orig_mod.a.weight", "_orig_mod.b"])
    {'_orig_mod.a.weight': 'a.weight', '_orig_mod.b': 'b'}
    """
    found = {name: _without_wrappers(name) for name in names}
    if found and all(name.startswith(f"{OUTER}.") for name in found.values()):
        found = {name: bare.removeprefix(f"{OUTER}.") for name, bare in found.items()}
    changed = any(name != bare for name, bare in found.items())
    return found if changed and len(set(found.values())) == len(found) else {}


def tables_in(given: Any) -> dict[tuple[str, ...], Mapping[Any, Any]]:
    """Every table in a checkpoint that holds tensors by name, by the keys that lead there."""
    found: dict[tuple[str, ...], Mapping[Any, Any]] = {}
    for keys, _ in _tables(given, ()):
        table = given
        for key in keys:
            table = table[key]
        found[keys] = table
    return found


def _tables(given: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    table = given.state_dict() if isinstance(given, nn.Module) else given
    if not isinstance(table, Mapping):
        return
    own = {k: v for k, v in table.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if own:
        yield keys, own
    for key, value in table.items() if len(keys) < DEPTH else ():
        if isinstance(key, str):
            yield from _tables(value, (*keys, key))


def _without_wrappers(name: str) -> str:
    if "_" not in name:
        return name
    return ".".join(part for part in name.split(".") if part not in INNER)


def _parts(found: list[Found]) -> str:
    # Of places with few tensors there may be as many as there are layers.
    some = found[:NAMED]
    named = ", ".join(f"part={each.part!r} ({len(each.fitting):,} tensors)" for each in some)
    return named + (f" and {len(found) - NAMED:,} more" if len(found) > NAMED else "")


def _no_place(given: Any, wanted: Wanted) -> str:
    tables = dict(_tables(given, ()))
    if not tables:
        named = _some([str(key) for key in given]) if isinstance(given, Mapping) else ""
        keys = f"its keys are {named}" if named else "it is empty"
        return f"there is no tensor in the checkpoint: {keys}"
    table = max(tables.values(), key=len)
    count = f"none of the {len(table):,} tensors of the checkpoint is one of the network's"
    others = {n: tuple(t.shape) for n, t in table.items() if n in wanted}
    if others:
        name, shape = next(iter(others.items()))
        mine = wanted[name]
        return (
            f"{count}: {shortened(name)} is {[*shape]} there and {[*(mine or ())]} in the network, "
            f"and so are {len(others) - 1:,} others of other shapes"
        )
    within = _within(table, wanted)
    if within:
        return f"{count}, but of its part {within}: load them into model.{within}"
    return f"{count}: they are called {_some(table)}, the network's {_some(wanted)}"


def _within(table: Mapping[str, Tensor], wanted: Wanted) -> str | None:
    """The part of the network that most tensors of a table are of, None for none."""
    votes = Counter[str]()
    for name, shape in wanted.items():
        parts = name.split(".")
        for count in range(1, len(parts)):
            tensor = table.get(".".join(parts[count:]))
            if tensor is not None and shape in (None, tuple(tensor.shape)):
                votes[".".join(parts[:count])] += 1
    if not votes:
        return None
    part, most = votes.most_common(1)[0]
    return part if most >= SHARE * len(table) else None


def _some(names: Collection[str]) -> str:
    few = ", ".join(map(shortened, list(names)[:NAMED]))
    return few + (", ..." if len(names) > NAMED else "")
