"""Where a network's stages end and what its residual blocks add, from one traced forward pass."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from regard.vision.probe import CONVOLUTIONS, REARRANGING, Frame, Operation, Trace

ADDITIONS = {"add", "add_", "__add__", "__iadd__", "__radd__"}


@dataclass(frozen=True)
class Ends:
    """Places that a word means: `("after", name)` or `("before", name)`.

    Args:
        without: how many more there are that functions give, so that no block can stand there.
        remark: what the network does where the word means nothing.
    """

    places: list[tuple[str, str]]
    without: int = 0
    remark: str = ""


def stage_ends(trace: Trace) -> Ends:
    """The last module of each resolution: ("after", name), or what follows: ("before", name).

    A stage ends at a function whose output is smaller or larger than its input map, by half at
    least, or is no map at all. The outermost module around it that takes the same step is what
    follows the stage, and its input ends the stage; what holds several stages is around it, and
    is none. A map that the network returns ends one, too. A smaller map that is for keys and values
    alone ends none.
    If the last map comes from a module that is also called elsewhere, such as a shared activation,
    the place is before what follows, if nothing else reads the map.
    """
    ends: dict[int, str | None] = {}
    aside: set[int] = set()
    for op in trace.operations:
        for node, follower in _before_step(trace, op, aside):
            ends[node] = ends.get(node) or follower
    network = trace.frames[0]
    ends |= {node: None for node in network.outputs if max(trace.maps.get(node, (1,))) > 1}
    features = _features(trace)
    places, placed = [], []
    without: list[tuple[int, ...]] = []
    for node, follower in sorted(ends.items()):
        if node in network.inputs or not (features is None or node in features):
            continue
        giver = trace.giver(node)
        if follower and not giver and not _is_read_within(trace, node, follower):
            follower = None  # a block in front of one reader would not be in front of the others
        if giver or follower:
            places.append(("after", giver) if giver else ("before", str(follower)))
            placed.append(trace.maps[node])
        elif not _stays(trace.maps[node], without):
            without.append(trace.maps[node])
    lost = sum(not _stays(size, placed) for size in without)
    return Ends(list(dict.fromkeys(places)), lost, _goes_on_without_maps(trace, ends))


def _features(trace: Trace) -> set[int] | None:
    """What convolutions gave and all that is made of it; before them there is the image.

    None for a network without one.
    """
    given = [node for op in trace.operations if op.name.startswith("conv") for node in op.outputs]
    return {*given, *_made_of(trace, given)} if given else None


def _is_read_within(trace: Trace, node: int, name: str) -> bool:
    """Whether a module alone reads a tensor."""
    readers = [op for op in trace.operations if node in op.inputs]
    return all(op.frame and any(f.name == name for f in op.frame.frames) for op in readers)


def _goes_on_without_maps(trace: Trace, ends: Iterable[int]) -> str:
    for node in ends:
        later = _made_of(trace, [node])
        follows = [trace.nodes[n] for n in trace.children.get(node, [])]
        tokens = next((n.shape for n in follows if n.by in REARRANGING and len(n.shape) > 2), None)
        if tokens is not None and later.isdisjoint(trace.maps):
            return (
                f"after {trace.giver(node) or 'its last map'} the network goes on with "
                f"{[*tokens]}, no map [batch, channels, *places]: it has no stages there"
            )
    return ""


def _before_step(trace: Trace, op: Operation, aside: set[int]) -> Iterator[tuple[int, str | None]]:
    maps = trace.maps
    after = [maps[node] for node in op.outputs if node in maps]
    for node in op.inputs:
        if node not in maps or node in aside or max(maps[node]) == 1 or _stays(maps[node], after):
            continue
        size = maps[node]
        ends_here = all(side == 1 for out in after for side in out)
        if ends_here:
            # A gate pools as well, but the maps go on at its side.
            later = _made_of(trace, op.outputs)
            if any(n in maps and _alike(maps[n], size) for n in later):
                continue
        step: Frame | None = None
        for frame in op.frame.frames if op.frame else ():
            if not _makes_step(trace, frame, size, after, ends_here):
                break
            if step is not None and _has_stage_before(trace, frame, step):
                break
            step = frame
        if after and not ends_here:
            of_keys = _of_keys(trace, op.outputs if step is None else step.outputs, size)
            aside |= of_keys
            if of_keys:
                continue
        if step is None:
            yield node, None
            continue
        once = len(trace.calls[step.name]) == 1 and step.leads
        origins = _origins(trace, node, step)
        for number, each in enumerate(step.inputs):
            if each in origins and each in maps and _alike(maps[each], size):
                yield each, step.name if once and number == 0 else None


def _has_stage_before(trace: Trace, frame: Frame, step: Frame) -> bool:
    """Whether a call has a stage of its own, with residual sums, before a step in it.

    What holds several stages calls them one after the other, and they are of one class.
    """
    kinds = {name: type(module) for module, name in trace.names.items()}
    calls = trace.within[id(frame)]
    earlier = [c for c in calls[: calls.index(step)] if kinds[c.name] is kinds[step.name]]
    with_sums = {id(around) for each in residuals(trace) for around in each.block.frames}
    return any(id(each) in with_sums for each in earlier)


def _of_keys(trace: Trace, made: Sequence[int], size: tuple[int, ...]) -> set[int]:
    """A smaller map for keys and values alone, beside maps that keep the resolution, if it is that.

    Nothing but tokens is made of it until there is a map of the former resolution again.
    """
    keeps = {number for number, places in trace.maps.items() if _alike(places, size)}
    later, returned = _made_of(trace, made, until=keeps), trace.frames[0].outputs
    goes_on = any(
        n in trace.maps and (trace.nodes[n].by not in REARRANGING or n in returned)
        for n in later - keeps
    )
    return {*made, *(later - keeps)} if later & keeps and not goes_on else set()


def _made_of(trace: Trace, nodes: Iterable[int], until: Collection[int] = ()) -> set[int]:
    """All that is computed from some tensors, without what is computed from `until`."""
    found: set[int] = set()
    stack = list(nodes)
    while stack:
        for number in trace.children.get(stack.pop(), []):
            if number not in found:
                found.add(number)
                if number not in until:
                    stack.append(number)
    return found


def _makes_step(
    trace: Trace, frame: Frame, size: tuple[int, ...], after: list[tuple[int, ...]], ends: bool
) -> bool:
    network = trace.frames[0]
    if (frame.inputs, frame.outputs) == (network.inputs, network.outputs):
        return False  # it, or all there is in it
    given = [trace.maps[node] for node in frame.inputs if node in trace.maps]
    made = [node for node in frame.outputs if node not in frame.inputs]
    gives = [trace.maps[node] for node in made if node in trace.maps]
    if not any(_alike(each, size) for each in given):
        return False
    if _stays(size, gives):
        return False
    if ends:
        return all(side == 1 for each in gives for side in each)
    return any(_alike(each, other) for each in gives for other in after)


def _stays(size: tuple[int, ...], after: list[tuple[int, ...]]) -> bool:
    return any(_alike(size, each) for each in after)


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether two resolutions are the same but for some padding."""
    return all(2 * a < 3 * b and 2 * b < 3 * a for a, b in zip(one, other, strict=True))


@dataclass(frozen=True)
class Residual:
    """An addition `shortcut + branch(x)`.

    Args:
        block: the call of the module in which both start.
        branch, shortcut: the tensors that are added.
    """

    block: Frame
    branch: int
    shortcut: int


def residuals(trace: Trace) -> Iterator[Residual]:
    """Additions of two maps that come from the same map by paths of different lengths."""
    for op in trace.operations:
        maps = [node for node in op.inputs if node in trace.maps]
        if op.name not in ADDITIONS or len(maps) != 2 or op.frame is None:
            continue
        one, other = maps
        if trace.nodes[one].shape != trace.nodes[other].shape:
            continue
        block: Frame | None = op.frame
        while block is not None and {one, other} <= set(block.inputs):
            block = block.around  # a module that does nothing but add
        if block is None:
            continue
        begin = set(block.inputs)
        if not (_origins(trace, one, block) & _origins(trace, other, block) & begin):
            continue
        shortcut, branch = sorted(maps, key=lambda node: trace.nodes[node].depth)
        if trace.nodes[shortcut].depth < trace.nodes[branch].depth:
            yield Residual(block, branch, shortcut)


def branch_ends(trace: Trace) -> Ends:
    """The module that gives what a residual block adds to its shortcut, for each block."""
    names, without = [], 0
    for each in residuals(trace):
        if name := _end(trace, each):
            names.append(name)
        else:
            without += each.shortcut in each.block.inputs
    return Ends([("after", name) for name in dict.fromkeys(names)], without)


def behind_convolution(trace: Trace, count: int, convolutions: set[str]) -> Ends:
    """The places behind the n-th convolution of each residual branch, its norm and activation.

    That is what the next convolution is given, or what is added: ("after", the module that gives
    it), or, where several have that module in common, ("before", the convolution). Convolutions of
    a gate, which read what is pooled to one place, are not counted.
    """
    places = []
    for each in residuals(trace):
        inner = _origins(trace, each.branch, each.block)
        inner -= _origins(trace, each.shortcut, each.block)
        on_branch = [
            frame.name
            for frame in trace.frames
            if frame.name in convolutions
            and inner.intersection(frame.outputs)
            and not _is_pooled(trace, frame, each.branch)
        ]
        if count < len(on_branch):
            follower = trace.calls[on_branch[count]][0]
            giver = trace.giver(follower.inputs[0], each.block)
            places.append(("after", giver) if giver else ("before", follower.name))
        elif count == len(on_branch) and (end := _end(trace, each)):
            places.append(("after", end))
    return Ends(list(dict.fromkeys(places)))


def _is_pooled(trace: Trace, frame: Frame, branch: int) -> bool:
    sides = [max(trace.maps[node]) for node in frame.outputs if node in trace.maps]
    return max(sides, default=1) == 1 < max(trace.maps[branch])


def convolutions_of(trace: Trace) -> set[str]:
    """The names of all convolutions."""
    return {name for module, name in trace.names.items() if isinstance(module, CONVOLUTIONS)}


def _end(trace: Trace, each: Residual) -> str | None:
    if each.branch < each.block.start:
        return None
    return trace.giver(each.branch, each.block)


def _origins(trace: Trace, node: int, block: Frame) -> set[int]:
    """What a tensor was made of within a call, itself and the call's inputs included."""
    seen: set[int] = set()
    stack = [node]
    while stack:
        number = stack.pop()
        if number in seen:
            continue
        seen.add(number)
        if number not in block.inputs:
            stack += trace.nodes[number].parents
    return seen
