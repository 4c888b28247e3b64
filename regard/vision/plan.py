"""What was inserted into a network, as plain data: to print, to save, and to apply again."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from regard._io.files import read_file, read_json, write_whole
from regard._io.unwrapping import shapes_of, unwrapped
from regard._nearest import nearest
from regard._printable import shortened, shown
from regard._spelling import parse
from regard._torch_private import forward_hooks, forward_pre_hooks
from regard.vision.blocks import BLOCKS, block
from regard.vision.from_identity import FromIdentity
from regard.vision.hooks import (
    Behind,
    Guard,
    InFront,
    Tie,
    Tied,
    Watched,
    forget_compiled,
    open_to_tracers,
)
from regard.vision.optimizers import warn_of_optimizers
from regard.vision.place import Place

FORMAT = "regard-blocks-1"
MOST_PLACES = 10_000
MOST_CHANNELS = 2**20
Make = Callable[[int], nn.Module]
"""A user-defined block: from a number of channels to a module."""


@dataclass(frozen=True)
class Plan:
    """Blocks and their places in a network: what `insert` did, or would do.

    It prints readably, compares by value, and is saved as JSON. It contains neither weights nor
    code.

    Args:
        places: in the network's order.
        remarks: what was noticed; not saved.

    Example:
        >>> import regard
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
        >>> plan = regard.insert(net, "se(reduction=4)", after="Conv2d", dry_run=True)
        >>> print(plan)
        se(reduction=4) at 2 places
          after 0  8 channels  0.se
          after 2  16 channels  2.se
        starts as identity: no, the outputs change; identity_start=True fades it in
        seen with an image [1, 3, 224, 224] made for it
        >>> again = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
        >>> plan.apply(again) == plan, type(again[0].se).__name__
        (True, 'SqueezeExcitation')
    """

    places: tuple[Place, ...]
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        named = list(dict.fromkeys(place.block for place in self.places))
        count = f"{len(self.places)} place{'s' * (len(self.places) != 1)}"
        lines = [f"{', '.join(named) or 'nothing'} at {count}"]
        for place in self.places:
            faded = "  from identity" * place.identity_start
            norm = f"  in front of the batch norm {place.norm}" if place.norm else ""
            lines.append(
                f"  {place.where} {place.module}  {place.channels} channels  {place.key}"
                f"{faded}{norm}"
            )
        return "\n".join([*lines, *self.remarks])

    def apply(self, model: nn.Module, blocks: Mapping[str, Make] | None = None) -> "Plan":
        """Insert the blocks into a newly built network: all of them or, on an error, none.

        `blocks` makes those that are not in `regard.vision.BLOCKS`, by their names in this plan.
        The network is not run.

        Raises:
            ValueError: a place that the network lacks, that already has a block of that name, or
                that has another number of channels; a block that cannot be made.

        Warns of an optimizer that has the network's parameters, and does not train the blocks.
        """
        require_plain(model)
        keys = Counter(place.key for place in self.places)
        for key, count in keys.items():
            if count > 1:
                raise ValueError(f"the plan has {shown(key)} {count} times; give each its name")
        made: dict[str, nn.Module] = {}
        for place in self.places:
            made[place.key] = new_block(model, place, blocks or {}, made)
        _add_children(model, self.places, made)
        for place in self.places:
            _attach(model, place)
        if made:
            warn_of_optimizers(model, made.values())
        return self

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, atomically."""
        write_whole(Path(path), self.json().encode())

    def json(self) -> str:
        """The plan as JSON."""
        places = [asdict(place) for place in self.places]
        return json.dumps({"format": FORMAT, "places": places}, indent=1) + "\n"

    @staticmethod
    def load(path: str | Path) -> "Plan":
        """Read a plan; raises `ValueError` that names the file and what is wrong with it."""
        content = read_file(Path(path))
        try:
            return Plan.of_json(content)
        except ValueError as error:
            raise ValueError(f"{path} is no plan of blocks: {error}") from None

    @staticmethod
    def of_json(text: str | bytes) -> "Plan":
        """Read JSON strictly: no unknown key, no value of another type."""
        found = read_json(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"it has no format {FORMAT!r}")
        _require_keys(found, {"format", "places"}, "a plan")
        places = found["places"]
        if not isinstance(places, list) or len(places) > MOST_PLACES:
            raise ValueError(f"places is {shown(places)}, not a list of at most {MOST_PLACES:,}")
        return Plan(tuple(_read_place(place) for place in places))

    @staticmethod
    def of(model: nn.Module) -> "Plan":
        """The blocks now in a network, even if it has become part of another one."""
        return Plan(tuple(place for place, _, _ in inserted(model)))

    def load_weights(
        self, model: nn.Module, state_dict: Mapping[str, Any] | nn.Module, part: str | None = None
    ) -> "Transferred":
        """Load the matching weights, from before or after the insertion, and report what matched.

        Nothing is renamed: every tensor of the old network keeps its old name. What others put
        around a network's tensors is taken off, by the names and shapes that the network has, and
        reported: tables (`{"model": ..., "epoch": 3}`), prefixes (`module.`, `_orig_mod.`), a
        network that was saved as a whole.

        Args:
            state_dict: the checkpoint.
            part: which of several sets of weights, such as `ema`, as the error lists them.

        Raises:
            ValueError: no tensor matches; several sets of weights match and differ; the network
                is on the device meta.
            TypeError: the checkpoint is not a table.

        Example:
            >>> net = nn.Sequential(nn.Conv2d(3, 8, 3))
            >>> old = {"epoch": 3, "state_dict": {f"module.{n}": t for n, t in
            ...                                   net.state_dict().items()}}
            >>> import regard
            >>> plan = regard.insert(net, "simam", after="0")
            >>> print(plan.load_weights(net, old))
            transferred 2 of 2 tensors of checkpoint['state_dict'], names without 'module.'
        """
        found = unwrapped(state_dict, shapes_of(model), part)
        fits = {name: found.tensors[name] for name in found.fitting}
        mine = model.state_dict()
        if any(mine[name].is_meta for name in fits):
            raise ValueError(
                "the network is on the device meta, where nothing is kept: model.to_empty(device=) "
                "before, and initialize what the weights lack"
            )
        model.load_state_dict(fits, strict=False)
        return self.transferred(model, found.tensors, fits, str(found))

    def transferred(
        self,
        model: nn.Module,
        state_dict: Mapping[str, Tensor],
        loaded: Mapping[str, Tensor],
        place: str = "",
    ) -> "Transferred":
        """Which weights were loaded, and which are new.

        Args:
            place: where in a checkpoint they were.
        """
        mine = model.state_dict()
        prefixes = tuple(f"{place.key}." for place in self.places)
        left = [name for name in mine if name not in loaded]
        return Transferred(
            total=len(state_dict),
            lost=tuple(name for name in state_dict if name not in loaded),
            missing=tuple(name for name in left if not name.startswith(prefixes)),
            new=tuple(name for name in left if name.startswith(prefixes)),
            place=place,
        )


@dataclass(frozen=True)
class Transferred:
    """The result of loading weights into a network with blocks.

    Args:
        total: number of tensors to load.
        lost: those the network lacks, or has in another shape.
        missing: tensors of the network that were not among them, outside of the blocks.
        new: the same within the blocks, which keep their initial values.
        place: where in a checkpoint the tensors were, if they did not lie there alone.

    >>> print(Transferred(320, new=("layer1.0.se.squeeze.weight",)))
    transferred 320 of 320 tensors; 1 of blocks is new
    """

    total: int
    lost: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    place: str = ""

    def __str__(self) -> str:
        of = f" of {self.place}" if self.place else ""
        said = [f"transferred {self.total - len(self.lost)} of {self.total} tensors{of}"]
        if self.new:
            said.append(f"{len(self.new)} of blocks {'is' if len(self.new) == 1 else 'are'} new")
        for what, names in (("not transferred", self.lost), ("not in the weights", self.missing)):
            if names:
                more = f" and {len(names) - 3} more" if len(names) > 3 else ""
                said.append(f"{what}: {', '.join(map(shortened, names[:3]))}{more}")
        return "; ".join(said)


def new_block(
    model: nn.Module, place: Place, own: Mapping[str, Make], made: Mapping[str, nn.Module]
) -> nn.Module:
    """A block for a place, on the device and in the type of the weights around it.

    `made` are new blocks by their keys, in one of which it may have its place.

    Raises `ValueError` where the place is not there or has no room for it.
    """
    module = _module_of(model, place, made)
    try:
        with torch.inference_mode(False):
            new = _made(place, own)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the block {place.where} {place.module}: {error}") from None
    new.qconfig = None  # type: ignore[assignment]  # what quantizes a network leaves its blocks
    weights = [w for each in (module, model) for w in each.parameters() if w.is_floating_point()]
    if weights:
        new = new.to(weights[0].device, weights[0].dtype)
    return new.train(module.training)


def _made(place: Place, own: Mapping[str, Make]) -> nn.Module:
    name = parse(place.block).name
    if name not in own and name not in BLOCKS:
        raise ValueError(
            f"there is no block {shown(name)}: {nearest(name, BLOCKS)} One of your own is a "
            "function for insert, and in a plan's apply a function in blocks="
        )
    made: Any = own[name](place.channels) if name in own else block(place.block, place.channels)
    if not isinstance(made, nn.Module):
        raise TypeError(f"{name} made {shown(type(made).__name__)}, and no module")
    has = getattr(made, "channels", place.channels)
    if has != place.channels:
        raise ValueError(f"{name} has {has} channels, and the place {place.channels}")
    return FromIdentity(made) if place.identity_start else made


def _module_of(model: nn.Module, place: Place, made: Mapping[str, nn.Module]) -> nn.Module:
    around = next((key for key in made if f"{place.module}.".startswith(f"{key}.")), None)
    try:
        module = (
            made[around].get_submodule(place.module.removeprefix(around)[1:])
            if around is not None
            else model.get_submodule(place.module)
        )
        if module is model:
            raise AttributeError
    except AttributeError:
        names = [name for name, _ in model.named_modules() if name]
        near = shortened(nearest(place.module, names), 300)
        raise ValueError(f"the network has no module {shown(place.module)}: {near}") from None
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError(f"{place.module} is a ScriptModule, which nothing can be added to")
    if hasattr(module, place.name):
        raise ValueError(
            f"{place.module} has {place.name!r} already; say name= for another block, or "
            "regard.remove the one that is there"
        )
    for word in ("out_channels", "num_features") if place.is_behind else ("in_channels",):
        has = getattr(module, word, None)
        if type(has) is int and has != place.channels:
            raise ValueError(
                f"{place.where} {place.module} there are {has} channels, and the plan has "
                f"{place.channels}"
            )
    return module


def inserted(model: nn.Module) -> Iterator[tuple[Place, nn.Module, int]]:
    """Each place of a network, by its current names, with its module and the hook's id."""
    for name, module in model.named_modules():
        hooks = [*forward_hooks(module).items(), *forward_pre_hooks(module).items()]
        for number, hook in hooks:
            if isinstance(hook, Behind):
                yield renamed(hook.place, name), module, number


def renamed(place: Place, name: str) -> Place:
    """A place by its current name, if its network has become part of another one."""
    norm = place.norm
    if norm is not None and name != place.module:
        longer = name.removesuffix(place.module)
        norm = (
            longer + norm if longer != name else norm.removeprefix(place.module.removesuffix(name))
        )
    return Place(**asdict(place) | {"module": name, "norm": norm})


def _add_children(model: nn.Module, places: Iterable[Place], made: Mapping[str, nn.Module]) -> None:
    """Make the blocks children of their modules; where one takes none, of none."""
    done: list[tuple[nn.Module, str]] = []
    for place in places:
        module = model.get_submodule(place.module)
        try:
            module.add_module(place.name, made[place.key])
        except Exception as error:  # its own, whatever it is
            for other, name in done:
                delattr(other, name)
            raise ValueError(
                f"{place.module} takes no block as its child: {type(error).__name__}: "
                f"{shortened(str(error), 200)}"
            ) from error
        done.append((module, place.name))


def _attach(model: nn.Module, place: Place) -> None:
    module = model.get_submodule(place.module)
    path, norm = place.module.split("."), place.norm.split(".") if place.norm else None
    depth = 0
    while depth < len(path) - 1 and (norm is None or path[: depth + 1] == norm[: depth + 1]):
        depth += 1
    # Lists of modules are not called: what watches must hang on what is.
    while isinstance(model.get_submodule(".".join(path[:depth])), (nn.ModuleList, nn.ModuleDict)):
        depth -= 1
    ahead = tuple(norm[depth:]) if norm else None
    guard = _guard(model.get_submodule(".".join(path[:depth])))
    guard.watched.append(Watched(place, tuple(path[depth:]), ahead))
    outer = _guard(model) if depth else None
    if outer is not None:
        outer.watched.append(Watched(place, tuple(path), anywhere=True))
    forget_compiled()
    open_to_tracers(module)
    conv = _in_front(model, place)
    tie = None if conv is None else Tie()
    if conv is not None and tie is not None:
        conv.register_forward_pre_hook(Tied(place, tie))
        open_to_tracers(conv)
    (Behind if place.is_behind else InFront)(place, guard, tie, outer).hang_on(module)


def _guard(around: nn.Module) -> Guard:
    guard = next((h for h in forward_pre_hooks(around).values() if isinstance(h, Guard)), None)
    if guard is None:
        guard = Guard()
        around.register_forward_pre_hook(guard)
    return guard


def _in_front(model: nn.Module, place: Place) -> nn.Module | None:
    """The convolution with which the batch norm at a place could be fused."""
    owner, _, name = place.module.rpartition(".")
    row = list(model.get_submodule(owner).named_children())
    names = [each for each, _ in row]
    norm, number = model.get_submodule(place.module), names.index(name)
    if not isinstance(norm, _BatchNorm) or not number:
        return None
    before = row[number - 1][1]
    has = getattr(before, "out_channels", getattr(before, "out_features", None))
    return before if has == norm.num_features else None


def require_plain(model: nn.Module) -> None:
    """Raise for networks that cannot take blocks, with what to do instead."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"blocks go into an nn.Module, got {shown(type(model).__name__)}")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError(
            "a ScriptModule cannot be changed any more: insert into the network that it was made "
            "of, then script or trace that"
        )
    wrapped = {"DistributedDataParallel", "DataParallel", "FullyShardedDataParallel"}
    kind = type(model).__name__
    if kind in wrapped or kind == "OptimizedModule":
        inner = "_orig_mod" if kind == "OptimizedModule" else "module"
        raise ValueError(
            f"{kind} has looked at the network already: insert into it before it is wrapped, or "
            f"into .{inner}, and wrap it again"
        )
    if any(type(tensor.data).__name__ == "DTensor" for tensor in model.parameters()):
        raise ValueError("the network is sharded already: insert into it before fully_shard")
    if any(nn.parameter.is_lazy(tensor) for tensor in model.parameters()):
        raise ValueError("the network has lazy parameters; run it once, so that they have shapes")


_FIELDS = {f.name: f for f in fields(Place)}
_REQUIRED = {"module", "name", "block", "channels"}


def _require_keys(found: Mapping[str, Any], known: set[str], what: str) -> None:
    for key in found:
        if key not in known:
            raise ValueError(f"{shown(key)} is no key of {what}: {nearest(key, sorted(known))}")
    lacks = sorted(known - set(found))
    if lacks:
        raise ValueError(f"{what} needs {', '.join(lacks)}")


def _read_place(found: Any) -> Place:
    if not isinstance(found, dict):
        raise ValueError(f"a place is a table, not {shown(found)}")
    _require_keys(found, set(_FIELDS), "a place")
    texts = {key: found[key] for key in ("module", "where", "name", "block")}
    for key, text in texts.items():
        if not _is_short_text(text):
            raise ValueError(f"{key} is {shown(text)}, not a short printable text")
    if found["where"] not in ("after", "before"):
        raise ValueError(f"where is {shown(found['where'])}, not after or before")
    norm, channels = found["norm"], found["channels"]
    if norm is not None and not _is_short_text(norm):
        raise ValueError(f"norm is {shown(norm)}, not a module's name or null")
    if type(channels) is not int or not 0 < channels <= MOST_CHANNELS:
        raise ValueError(f"channels is {shown(channels)}, not a number from 1 to {MOST_CHANNELS:,}")
    if type(found["identity_start"]) is not bool:
        raise ValueError(f"identity_start is {shown(found['identity_start'])}, not true or false")
    require_name(found["name"])
    parse(found["block"])
    return Place(**found)


def _is_short_text(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 1000 and text.isprintable()


def require_name(name: str) -> None:
    """Raise `ValueError` for a name that a child of a module cannot have."""
    taken = isinstance(name, str) and hasattr(nn.Module(), name)
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or taken:
        raise ValueError(f"{shown(name)} cannot be the name of a block: say a word such as 'se'")


def own_name(make: Any) -> str:
    """The name of a user-defined block in a plan: that of its class or function."""
    name = getattr(make, "__name__", "")
    if not name.isidentifier():
        raise ValueError("a block of your own needs a name: a class, or a function with def")
    if name in BLOCKS:
        raise ValueError(f"{name!r} is another block's name here; call yours something else")
    return name
