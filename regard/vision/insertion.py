"""Insert blocks into an existing network, and remove them again, without renaming anything."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from regard._spelling import parse
from regard._torch_private import forward_pre_hooks, unhooked
from regard.vision.hooks import Guard, Tied, close_to_tracers, forget_compiled
from regard.vision.place import Place
from regard.vision.places import Found, Wanted, find, matching, names_match
from regard.vision.plan import Plan, inserted, new_block, own_name, require_name, require_plain
from regard.vision.probe import run_in_turn, run_with, traced


def insert(
    model: nn.Module,
    block: str | Callable[[int], nn.Module],
    *,
    after: Wanted | None = None,
    before: Wanted | None = None,
    example: Any = None,
    identity_start: bool = False,
    name: str | None = None,
    dry_run: bool = False,
) -> Plan:
    """Insert a block after modules of a network, or before them, in place.

        output of the module → block(output of the module)

    The block becomes a child of the module and acts through a forward hook, so that every tensor
    of the network keeps its name: `load_state_dict(old, strict=False)` loses none. The result is a
    `Plan`, which can be printed, saved, and applied to a newly built network.

    One pass of the network shows which modules are called, with how many channels. It changes
    nothing: evaluation mode, no gradients; buffers, attributes, flags and random numbers are put
    back. A module that is called several times has one block for all its calls, and the plan says
    so. In an `nn.Sequential`, and where a module runs whatever children it has, the block hangs on
    the last of the row. Fusing (`fuse_conv_bn_eval`, `fuse_modules`, Ultralytics' `fuse`) works
    within a module at a place; where it tears off a block, or moves a batch norm past one, the
    network raises `RuntimeError` when it is called.

    Initialize the network before, as with `model.apply`, which would give blocks other weights
    than those that they start with; make the optimizer afterwards, or a warning says so.

    Args:
        block: its name, such as `cbam(reduction=8)`, or a function from a number of channels to a
            module.
        after: `"layer*.*.conv3"`, a pattern of names (`*` within one name, `**` over several);
            a class or its name; `"stage"`, the last module at each resolution;
            `"after_conv1"`, `2`, `3`: mmdetection's positions in a residual block, after that
            convolution's norm and activation; or a list of these.
        before: the same for the input of a module; `"sum"`, the end of each residual branch.
        example: the network's input: a tensor, a tuple of arguments, a dict of keyword arguments.
            Without it, images of several sizes are tried.
        identity_start: start as x + gamma (f(x) - x) with gamma 0, unless the block itself starts
            as the identity: the network's outputs are unchanged, bit for bit.
        name: of the block among the module's children; by default the block's own.
        dry_run: find the places, change nothing.

    Raises:
        ValueError: no matching module (with the nearest names), a module that returns no feature
            map or maps with different numbers of channels, a name that is taken, a network that is
            already scripted or wrapped.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU()).eval()
        >>> x, old = torch.randn(2, 3, 8, 8), net.state_dict()
        >>> was = net(x)
        >>> plan = insert(net, "se(reduction=4)", after="ReLU", identity_start=True)
        >>> torch.equal(net(x), was), plan.load_weights(net, old).lost
        (True, ())
        >>> remove(net) == plan, list(net.state_dict()) == list(old)
        (True, True)
    """
    require_plain(model)
    if isinstance(block, nn.Module) or not (isinstance(block, str) or callable(block)):
        raise TypeError("give the name of a block, or what makes one from a number of channels")
    spelled = block if isinstance(block, str) else own_name(block)
    own = {} if isinstance(block, str) else {spelled: block}
    name = parse(spelled).name if name is None else name
    require_name(name)
    trace, shown_to, given = traced(model, example)
    found, others = find(model, trace, run_in_turn(model, shown_to, trace), after, before)
    places, starts = [], []
    with torch.random.fork_rng(_devices(model)):
        for each in found:
            place = _place(each, spelled, name)
            tried = new_block(model, place, own, {})
            same = bool(getattr(tried, "starts_as_identity", False))
            places.append(_place(each, spelled, name, identity_start and not same))
            starts.append(same or identity_start)
    plan = Plan(tuple(places), (*others, *_remarks(found, all(starts), given)))
    if not dry_run:
        plan.apply(model, own)
        _try(model, plan, shown_to)
    return plan


def remove(model: nn.Module, place: str | None = None, name: str | None = None) -> Plan:
    """Remove blocks from a network: all, or those at matching modules, or those of one name.

    The network is then what it was before they were put in, with what it has learned since. What
    was removed is the plan that puts it back. Blocks within a block go with it. A block that was
    lost with its module, which is an error when the network runs, is missed no longer.

    Raises:
        ValueError: no such block, with the places that have one.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
        >>> _ = insert(net, "se", after="Conv2d")
        >>> [place.module for place in remove(net, "1").places], list(net.state_dict())[-1]
        (['1'], '1.bias')
    """
    there = list(inserted(model))
    missed = _forgotten(model, place, name)
    at: set[str] | None = None
    if place is not None and missed:
        at = {each.module for each, _, _ in there if names_match(place, each.module)}
    elif place is not None:
        at = set(matching(model, place))
    chosen = [
        each
        for each in there
        if (at is None or each[0].module in at) and name in (None, each[0].name)
    ]
    if not chosen and not missed and (there or place is not None or name is not None):
        keys = ", ".join(each.key for each, _, _ in there) or "it has none"
        raise ValueError(f"the network has no such block to remove: {keys}")
    within = tuple(f"{place.key}." for place, _, _ in chosen)
    chosen = [each for each in there if each in chosen or f"{each[0].module}.".startswith(within)]
    forget_compiled()
    for found, module, number in chosen:
        hook = unhooked(module, number)
        hook.unwatch()
        if hook.tie is not None:
            hook.tie.blocks -= 1
        if isinstance(getattr(module, found.name, None), nn.Module):
            delattr(module, found.name)
        close_to_tracers(module)
    _dismiss(model, everyone=place is None and name is None)
    return Plan(tuple(found for found, _, _ in chosen))


def _forgotten(model: nn.Module, place: str | None, name: str | None) -> bool:
    """End the watch over blocks that are gone, if they are meant; whether there were any."""
    found = False
    for module in model.modules():
        for guard in forward_pre_hooks(module).values():
            if isinstance(guard, Guard):
                gone = [
                    each
                    for each in guard.watched
                    if not each.is_there(module)
                    and (place is None or names_match(place, each.place.module))
                    and name in (None, each.place.name)
                ]
                guard.watched = [each for each in guard.watched if each not in gone]
                found = found or bool(gone)
    return found


def _dismiss(model: nn.Module, everyone: bool) -> None:
    """End the watch where there is nothing to watch; over places lost by fusing too, if asked."""
    for module in model.modules():
        hooks = forward_pre_hooks(module)
        for number, guard in list(hooks.items()):
            if isinstance(guard, Guard) and (everyone or not guard.watched):
                guard.watched = []
                unhooked(module, number)
            if isinstance(guard, Tied) and (everyone or not guard.tie.blocks):
                unhooked(module, number)
                close_to_tracers(module)


def _place(found: Found, block: str, name: str, identity_start: bool = False) -> Place:
    return Place(
        module=found.module,
        where=found.where,
        name=name,
        block=block,
        channels=found.channels,
        identity_start=identity_start,
        norm=found.norm,
    )


def _remarks(found: list[Found], starts: bool, given: str) -> tuple[str, ...]:
    remarks = [
        f"{each.module} is called {each.calls} times: its block acts in each call"
        for each in found
        if each.calls > 1
    ]
    if not starts:
        remarks.append(
            "starts as identity: no, the outputs change; identity_start=True fades it in"
        )
    else:
        remarks.append("starts as identity: yes, the outputs are unchanged to the bit")
    return (*remarks, f"seen with {given}")


def _try(model: nn.Module, plan: Plan, example: Any) -> None:
    """Run the network once with its blocks; where one is not called as its module is, undo all."""
    counts: Counter[str] = Counter()

    def calls(name: str) -> Callable[..., None]:
        def counted(*_: Any) -> None:
            counts[name] += 1

        return counted

    def shapes(key: str) -> Callable[..., None]:
        def compared(_: Any, args: Any, output: Any) -> None:
            counts[key] += 1
            gives = [*output.shape] if isinstance(output, Tensor) else type(output).__name__
            if gives != [*args[0].shape]:
                raise ValueError(
                    f"{key} gives {gives} for {[*args[0].shape]}, and a block gives maps of the "
                    "shape that it reads"
                )

        return compared

    hooks = {place.module: calls(place.module) for place in plan.places}
    hooks |= {place.key: shapes(place.key) for place in plan.places}
    hooks |= {f"{p.key}.block": shapes(f"{p.key}.block") for p in plan.places if p.identity_start}
    try:
        run_with(model, example, hooks)
        for place in plan.places:
            if counts[place.key] != counts[place.module]:
                raise ValueError(
                    f"{place.key} was called {counts[place.key]} times and its module "
                    f"{counts[place.module]}: {place.module} runs its children in turn; name one "
                    "of them instead"
                )
    except Exception as error:
        # Whatever it is, a network that does not run is not handed back.
        for place in plan.places:
            remove(model, _escaped(place.module), place.name)
        raise ValueError(f"with its blocks the network does not run: {error}") from error


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _devices(model: nn.Module) -> list[int]:
    return sorted({t.device.index or 0 for t in model.parameters() if t.device.type == "cuda"})
