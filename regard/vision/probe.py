"""Tracing one forward pass: which module returns which tensor, computed from which."""

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from itertools import chain
from typing import Any
from weakref import ref

import numpy
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from regard._printable import shortened

SIZES = {1: (224, 64, 1024), 2: (224, 64, 32, 512), 3: (32, 64, 112)}
"""Side lengths of the images that are tried, by their number of dimensions."""
TURNING = frozenset("permute transpose swapaxes swapdims movedim moveaxis t __get__".split())
"""PyTorch functions that permute axes; `x.T` is a `__get__`."""
REARRANGING = TURNING | frozenset(
    "view reshape flatten unflatten view_as reshape_as squeeze unsqueeze unfold as_strided".split()
)
"""Functions after which axes may mean something else."""


@dataclass(frozen=True)
class Node:
    """A tensor as it was after one operation; an in-place edit makes another one.

    Args:
        depth: the largest number of operations that lead to it.
        by: the function that returned it.
    """

    number: int
    shape: tuple[int, ...]
    parents: tuple[int, ...]
    depth: int
    by: str = ""


@dataclass(eq=False)
class Frame:
    """One call of a module.

    Args:
        start: the index of the first node created within.
        inputs, outputs: nodes of its tensors.
        around: the frame that called it.
        leads: whether its first argument is a tensor, by name or not.
        single: whether its output is a tensor, and no list or table of some.
        gives: its output's class.
        end: how many frames had ended before it.
    """

    name: str
    start: int
    inputs: list[int]
    around: "Frame | None"
    leads: bool = False
    outputs: list[int] = field(default_factory=list)
    single: bool = False
    gives: str = ""
    end: int = -1

    @property
    def frames(self) -> Iterator["Frame"]:
        """This frame and the enclosing ones."""
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.around


@dataclass(frozen=True)
class Operation:
    """A PyTorch function that was called with tensors."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    frame: Frame | None


class Trace(TorchFunctionMode):
    """The record of a forward pass; it keeps no tensor alive."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self.frames: list[Frame] = []
        self.operations: list[Operation] = []
        self._current: Frame | None = None
        self._known: dict[int, tuple[ref[Tensor], int, int]] = {}
        self._looking, self._ended = False, 0
        self.names = {module: name for name, module in model.named_modules()}
        self.closed = {name for module, name in self.names.items() if keeps_no_block(module)}
        self._own = {id(tensor) for tensor in chain(model.parameters(), model.buffers())}

    def node(self, tensor: Tensor) -> int:
        """The node of a tensor in its current state."""
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor:
            if known[1] == _version(tensor):
                return known[2]
            return self._new(tensor, (known[2],))
        if self._current is None or id(tensor) in self._own:
            return self._new(tensor, ())
        # Made by code that PyTorch does not show here: of what the module was given.
        return self._new(tensor, tuple(self._current.inputs))

    def _new(self, tensor: Tensor, parents: tuple[int, ...], by: str = "") -> int:
        depth = 1 + max((self.nodes[parent].depth for parent in parents), default=-1)
        made = Node(len(self.nodes), tuple(tensor.shape), parents, depth, by)
        self.nodes.append(made)
        self._known[id(tensor)] = ref(tensor), _version(tensor), made.number
        return made.number

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._looking:
            return func(*args, **kwargs)
        given = {id(tensor): tensor for tensor in tensors_in((args, kwargs))}
        inputs = tuple(self.node(tensor) for tensor in given.values())
        versions = {key: _version(tensor) for key, tensor in given.items()}
        out = func(*args, **kwargs)
        name = getattr(func, "__name__", str(func))
        outputs = tuple(
            # What comes back as it was given is no new tensor: dropout that is off, for instance.
            self.node(each)
            if given.get(id(each)) is each and _version(each) == versions[id(each)]
            else self._new(each, inputs, name)
            for each in tensors_in(out)
        )
        if inputs and outputs:
            self.operations.append(Operation(name, inputs, outputs, self._current))
        return out

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """Where shapes and versions are asked for by this, and not by the network."""
        self._looking = True
        try:
            yield
        finally:
            self._looking = False

    def enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        """A forward pre-hook for every module."""
        with self._aside():
            inputs = [self.node(tensor) for tensor in tensors_in((args, kwargs))]
        leads = isinstance(next(chain(args, kwargs.values()), None), Tensor)
        frame = Frame(self.names[module], len(self.nodes), inputs, self._current, leads)
        self.frames.append(frame)
        self._current = frame

    def leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """A forward hook for every module."""
        frame = self._current
        while frame is not None and frame.name != self.names[module]:
            frame = frame.around  # one that ended with an exception, which the network caught
        assert frame is not None
        with self._aside():
            frame.outputs += [self.node(tensor) for tensor in tensors_in(output)]
        frame.single, frame.gives = isinstance(output, Tensor), type(output).__name__
        frame.end = self._ended
        self._ended += 1
        self._current = frame.around

    @cached_property
    def calls(self) -> dict[str, list[Frame]]:
        """The calls of each module that was called, in order."""
        found: dict[str, list[Frame]] = {}
        for frame in self.frames:
            found.setdefault(frame.name, []).append(frame)
        return found

    @cached_property
    def maps(self) -> dict[int, tuple[int, ...]]:
        """Nodes that are feature maps of the image → height, width, ..., without padding.

        A rearranged tensor is one again if it comes from the image and has the places of an earlier
        one, unless it is a map with permuted axes, which would not show in a square map with as
        many channels.
        """
        given = [self.nodes[number] for number in self.frames[0].inputs]
        read = self._read_by_convolution
        axes = next((len(node.shape) for node in given if 3 <= len(node.shape) <= 5), 4)
        if read is not None and len(read.shape) != axes:
            # Images in a list, or frames of a video, which the network stacks or takes apart.
            axes, given = len(read.shape), [read]
        maps = {node.number: node.shape[2:] for node in given if len(node.shape) == axes}
        seen = set(maps)  # what is computed from the image: a table of positions is not
        # Stacked or split into groups a map has more axes, and is one again when these are gone.
        groups: dict[int, tuple[int, ...]] = {}
        for node in self.nodes:
            of_map = not maps.keys().isdisjoint(node.parents)
            if not seen.isdisjoint(node.parents):
                seen.add(node.number)
            if node.by in REARRANGING:
                turned = of_map and node.by in TURNING
                is_map = not turned and node.shape[2:] in maps.values() and node.number in seen
            else:
                of_groups = any(groups.get(n) == node.shape[2:] for n in node.parents)
                is_map = of_map or of_groups
            if is_map and len(node.shape) == axes:
                padded = [maps[n] for n in node.parents if n in maps and node.by == "pad"]
                maps[node.number] = padded[0] if padded else node.shape[2:]
            elif len(node.shape) == axes + 1:
                places = node.shape[3:]
                if any(places in (maps.get(n), groups.get(n)) for n in node.parents):
                    groups[node.number] = places
        return maps

    @property
    def _read_by_convolution(self) -> Node | None:
        """What the first convolution reads, if it is a batch of maps."""
        dims = {
            name: len(module.kernel_size)
            for module, name in self.names.items()
            if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED))
        }
        first = next((f for f in self.frames if f.name in dims and f.inputs), None)
        node = None if first is None else self.nodes[first.inputs[0]]
        fits = first is not None and node is not None and len(node.shape) == dims[first.name] + 2
        return node if fits else None

    @cached_property
    def children(self) -> dict[int, list[int]]:
        """The nodes that were computed from each node."""
        found: dict[int, list[int]] = {}
        for node in self.nodes:
            for parent in node.parents:
                found.setdefault(parent, []).append(node.number)
        return found

    @cached_property
    def within(self) -> dict[int, list[Frame]]:
        """The calls that were made in each call, by its `id`."""
        found: dict[int, list[Frame]] = {}
        for frame in self.frames:
            if frame.around is not None:
                found.setdefault(id(frame.around), []).append(frame)
        return found

    def giver(self, node: int, within: Frame | None = None) -> str | None:
        """The module whose output a tensor is: of several nested ones, the outermost.

        One that was called more than once gives other tensors too, and is none; neither is the
        network, nor what is around `within`, nor what can have no block.
        """
        beyond = {id(frame) for frame in within.frames} if within else set()
        ended = [
            f
            for f in self.frames
            if f.single and f.outputs == [node] and f.name and f.name not in self.closed
        ]
        for first in sorted(ended, key=lambda frame: frame.end):
            chain = [f for f in first.frames if f in ended and id(f) not in beyond]
            names = [f.name for f in chain if len(self.calls[f.name]) == 1]
            if names:
                return names[-1]
        return None


def _version(tensor: Tensor) -> int:
    """How often a tensor was edited in place; of those from inference mode nobody counts."""
    return 0 if tensor.is_inference() else tensor._version


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples, dicts and dataclasses, in order."""
    if isinstance(value, Tensor):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from tensors_in(getattr(value, each.name, None))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_in(each)


def call(model: nn.Module, example: Any) -> Any:
    """The network's output: a tuple holds positional arguments, a dict keyword arguments."""
    if isinstance(example, tuple):
        return model(*example)
    if isinstance(example, Mapping):
        return model(**example)
    return model(example)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Run a network in evaluation mode, without side effects.

    Within, it is in evaluation mode without gradients, and what was compiled of it is not used: the
    code that is there calls no hooks. Afterwards all that hangs on its modules is
    what it was: flags, buffers, attributes, hooks; and so are the states of PyTorch's, NumPy's and
    Python's random numbers. (What a hook of its own does elsewhere stays done.)
    """
    modules = list(model.modules())
    tables = [(m, dict(m.__dict__), [(t, dict(t)) for t in _tables(m)]) for m in modules]
    tensors = list({id(t): t for t in chain(model.buffers(), model.parameters())}.values())
    held = [(t, t.detach().clone()) for t in tensors if not t.is_meta]
    devices = sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})
    state, numpys = random.getstate(), numpy.random.get_state()
    with (
        uncompiled(),
        torch.random.fork_rng(devices),
        torch.inference_mode(False),
        torch.no_grad(),
    ):
        try:
            model.eval()
            yield
        finally:
            for module, attributes, inner in tables:
                module.__dict__.clear()
                module.__dict__.update(attributes)
                for table, content in inner:
                    table.clear()
                    table.update(content)
            for tensor, before in held:
                if tensor.shape != before.shape:
                    tensor.set_(before)  # type: ignore[call-overload]
                elif not _same(tensor, before):
                    tensor.copy_(before)
            random.setstate(state)
            numpy.random.set_state(numpys)


def uncompiled() -> AbstractContextManager[Any]:
    """Where compiled networks run as they are written, if anything was compiled at all."""
    if "torch._dynamo" not in sys.modules:
        return nullcontext()
    return torch.compiler.set_stance("force_eager")


def keeps_no_block(module: nn.Module) -> bool:
    """Whether a block that is its child would be one of the modules that it runs."""
    if isinstance(module, nn.Sequential):
        return type(module).forward is not nn.Sequential.forward
    return isinstance(module, (nn.ModuleList, nn.ModuleDict))


def _same(one: Tensor, other: Tensor) -> bool:
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _tables(module: nn.Module) -> Iterator[dict[Any, Any]]:
    """What a module keeps in dictionaries of its own, shallow."""
    return (value for value in module.__dict__.values() if isinstance(value, dict))


def traced(model: nn.Module, example: Any = None) -> tuple[Trace, Any, str]:
    """The trace of one forward pass, its input, and a description of the input.

    Raises `ValueError` if none of the images tried is accepted.
    """
    if example is not None:
        given = f"an example of {_shapes(example)}"
        try:
            trace = _traced(model, example)
        except Exception as error:
            # Whatever it raises, it is the network's own, and says nothing of where it comes from.
            said = shortened(str(error), 300)
            raise ValueError(
                f"the network does not run with {given}: {type(error).__name__}: {said}"
            ) from error
        _require_batch(model, trace, given)
        return trace, example, given
    failed = ""
    for image in images(model):
        try:
            return _traced(model, image), image, f"an image {[*image.shape]} made for it"
        except Exception as error:
            # Whatever it raises: the next image may be the right one.
            failed = f"{[*image.shape]}: {type(error).__name__}: {shortened(str(error), 300)}"
    raise ValueError(
        f"the network has to be run once, and took none of the images made for it ({failed}); give "
        "example=, what it is called with: a tensor, a tuple of arguments, or a dict of named ones"
    )


def _traced(model: nn.Module, example: Any) -> Trace:
    trace = Trace(model)
    with unchanged(model), trace:
        for module in model.modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # it takes no hooks
            module.register_forward_pre_hook(trace.enter, with_kwargs=True)
            module.register_forward_hook(trace.leave, with_kwargs=True)
        call(model, example)
    return trace


def _require_batch(model: nn.Module, trace: Trace, given: str) -> None:
    """Raise `ValueError` for an image without a batch, whose channels would be taken for one."""
    for frame in trace.frames:
        module = model.get_submodule(frame.name)
        if isinstance(module, (*CONVOLUTIONS, *TRANSPOSED)) and frame.inputs:
            shape = trace.nodes[frame.inputs[0]].shape
            if len(shape) == len(module.kernel_size) + 1:
                raise ValueError(
                    f"{given} has no batch: {frame.name} is given {[*shape]}, and blocks read maps "
                    "[batch, channels, *places]; put a 1 in front"
                )


def images(model: nn.Module) -> Iterator[Tensor]:
    """Images the network may accept, judging by its first convolution; the same in every call."""
    first = next((m for m in model.modules() if isinstance(m, (*CONVOLUTIONS, *TRANSPOSED))), None)
    if first is None:
        raise ValueError(
            "the network has no convolution that says what it takes; give example=, what it is "
            "called with"
        )
    dims, weight = len(first.kernel_size), first.weight
    for size in SIZES[dims]:
        shape = (1, first.in_channels, *[size] * dims)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        yield noise.to(weight.device, weight.dtype)


CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def run_with(model: nn.Module, example: Any, hooks: Mapping[str, Callable[..., None]]) -> None:
    """One forward pass, which leaves no trace, with a hook behind each module that has a name."""
    with unchanged(model):
        for name, hook in hooks.items():
            model.get_submodule(name).register_forward_hook(hook)
        call(model, example)


def run_in_turn(model: nn.Module, example: Any, trace: Trace) -> set[str]:
    """The modules that run whatever children they have, one on what the other gives.

    A child more would be run with them, and no block beside them. That is seen by giving them one.
    """
    rows = [name for name, frames in trace.calls.items() if name and _is_row(model, trace, frames)]
    extra = {name: _Extra() for name in rows}
    if extra:
        with unchanged(model):
            for name, child in extra.items():
                model.get_submodule(name).add_module(_Extra.__name__, child)
            call(model, example)
    return {name for name, child in extra.items() if child.was_called}


def _is_row(model: nn.Module, trace: Trace, frames: list[Frame]) -> bool:
    module = model.get_submodule(frames[0].name)
    children = [trace.names[child] for child in module.children()]
    if not children or isinstance(module, nn.Sequential) or keeps_no_block(module):
        return False
    if hasattr(module, _Extra.__name__):
        return False  # one that has an answer for every name
    for frame in frames:
        inner = trace.within.get(id(frame), [])
        if [each.name for each in inner] != children:
            return False
        given = [frame.inputs, *(each.outputs for each in inner)]
        if [*(each.inputs for each in inner), frame.outputs] != given:
            return False
    return True


class _Extra(nn.Module):
    was_called = False

    def forward(self, x: Any) -> Any:
        self.was_called = True
        return x


def _shapes(example: Any) -> str:
    shapes = [str([*tensor.shape]) for tensor in tensors_in(example)]
    return shortened(", ".join(shapes) or type(example).__name__, 200)
