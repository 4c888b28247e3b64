"""What PyTorch knows and has no public name for, in one place.

`tests/test_torch_private.py` holds every name to what is said of it here, for each version of
PyTorch that the tests run with.
"""

import functools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
import torch.autograd.forward_ad as _forward_ad
from torch import Tensor, fx

_Function = TypeVar("_Function", bound=Callable[..., Any])

_interpreters = torch._C._functorch.peek_interpreter_stack
_dispatch_modes = torch._C._len_torch_dispatch_stack
_any_autocast = torch._C._is_any_autocast_enabled
_is_tracing = torch._C._is_tracing
_is_several = torch._C._functorch.is_legacy_batchedtensor
_PLAIN = (Tensor, torch.nn.Parameter)
MANY = 512
"""Rows that the order of a matrix is chosen for; it serves any number."""


def constant_when_compiled(function: _Function) -> _Function:
    """Let `torch.compile` call a function once, and record its result.

    `torch.compiler.assume_constant_result` does the same, and imports the compiler, which takes
    a second of every process that only imports this.
    """
    function._dynamo_marked_constant = True  # type: ignore[attr-defined]
    return function


def is_transformed() -> bool:
    """Whether a `torch.func` transform is at work, which brings its own differentiation."""
    return not torch.compiler.is_compiling() and _interpreters() is not None


@constant_when_compiled
def is_under_transform() -> bool:
    """Whether such a transform is at work, also inside of what `torch.compile` records.

    There `torch.func.grad` is recorded with all that it differentiates.
    """
    return _interpreters() is not None


def is_traced() -> bool:
    """Whether this runs to be recorded or transformed, so that no number can be looked at.

    True under `torch.compile`, `torch.export`, `torch.jit.trace`, every `torch.func` transform and
    every dispatch mode, such as `FakeTensorMode`.
    """
    return (
        torch.compiler.is_compiling()
        or _interpreters() is not None
        or _is_tracing()
        or _dispatch_modes() > 0
    )


def is_any_autocast() -> bool:
    """Whether autocast is on, for any device."""
    return bool(_any_autocast())


def autocast_dtype(device: str) -> torch.dtype | None:
    """What autocast makes of numbers for kernels of a device; None where it is off."""
    if not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def is_ordinary() -> bool:
    """Whether this is a plain eager call: nothing records, transforms or casts it."""
    return not (is_traced() or _any_autocast() or is_forward_mode())


def can_look_at(tensor: Tensor) -> bool:
    """Whether the numbers of a tensor can be had without waiting for a device."""
    return not is_traced() and type(tensor) in _PLAIN and tensor.device.type == "cpu"


def are_plain(*tensors: Tensor) -> bool:
    """Whether all are tensors of PyTorch's own, whose numbers lie at their address."""
    return all(type(tensor) in _PLAIN for tensor in tensors)


def is_several(gradient: Tensor) -> bool:
    """Whether a gradient is several at once, as `autograd.grad(is_grads_batched=True)` has it."""
    return bool(_is_several(gradient))


def surely(condition: Any) -> bool:
    """Whether a comparison of lengths holds for every length a recorded graph may serve.

    Outside of a recording this is the condition itself. Inside, asking a dynamic length with `if`
    would bind the graph to the answer; this asks without binding it and says False where it cannot
    know.
    """
    if isinstance(condition, Tensor):
        return False  # a comparison of lengths under `torch.jit.trace`, where lengths are tensors
    if not torch.compiler.is_compiling() and not isinstance(condition, torch.SymBool):
        return bool(condition)
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return statically_known_true(condition)


def is_static(number: Any) -> bool:
    """Whether a number is the same for every call of a recorded graph; outside, always."""
    if not torch.compiler.is_compiling():
        return True
    from torch.fx.experimental.symbolic_shapes import has_static_value

    return has_static_value(number)


def likely(number: Any) -> int:
    """What a length was when a graph was recorded, which the graph is not bound to; else itself.

    0 where that cannot be told: under `torch.jit.trace`, and by a PyTorch that has no such hints.
    """
    if isinstance(number, Tensor):
        return 0
    if is_static(number) and not isinstance(number, torch.SymInt):
        return int(number)
    from torch.fx.experimental import symbolic_shapes

    hint = getattr(symbolic_shapes, "optimization_hint", None)
    return 0 if hint is None else int(hint(number, 0))


def size_that_numbers_tell(most: Any) -> Any:
    """In the shapes of an operation: a length of its own; the most that it may be without symbols.

    A graph has symbols for such lengths, and `FakeTensorMode` alone has none.
    """
    ctx = torch.library.get_ctx()
    return most if ctx._shape_env is None else ctx.new_dynamic_size()


def is_exporting() -> bool:
    """Whether this is recorded as a program for others to run."""
    return torch.compiler.is_exporting()


def is_open(length: Any) -> bool:
    """Whether a loop over so many steps stands in a program that is exported for any number."""
    return is_exporting() and not is_static(length)


def scan(
    step: Callable[[Any, Any], tuple[tuple[Tensor, ...], tuple[Tensor, ...]]],
    state: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A loop over the first axis of the inputs as one node of an exported program.

    Every new state must be a new tensor, none that `step` was given.
    """
    from torch._higher_order_ops import scan as scan_of_torch

    def apart(
        before: tuple[Tensor, ...], each: tuple[Tensor, ...]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        after, given = step(before, each)
        return after, tuple(tensor.clone() for tensor in given)  # no output may be a state

    # A state that `step` also knows by another name would be taken for the first one in every step.
    first = tuple(tensor.clone() for tensor in state)
    last, outputs = scan_of_torch(apart, first, inputs, dim=0)
    return tuple(last), tuple(outputs)


def is_jit_traced() -> bool:
    """Whether `torch.jit.trace` is recording: then lengths are tensors."""
    return not torch.compiler.is_compiling() and _is_tracing()


def plain_length(length: Any) -> Any:
    """A length as a number also under `torch.jit.trace`, where its powers would be float32."""
    if not isinstance(length, Tensor):
        return length
    with quiet_trace():
        return int(length)


def quiet_trace() -> AbstractContextManager[None]:
    """Where `torch.jit.trace` does not warn of comparisons of lengths, which only check there."""
    return _without_warnings() if is_jit_traced() else nullcontext()


@contextmanager
def _without_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        yield


def is_forward_mode() -> bool:
    """Whether forward-mode derivatives are being taken outside of `torch.func`."""
    return not torch.compiler.is_compiling() and _forward_ad._current_level >= 0


def needs_definition(tensors: Iterable[Tensor]) -> bool:
    """Whether a fused kernel, which has a forward and a backward pass, will not do for a call.

    That is so in forward mode, under `vmap`, for which kernels have no batching rule, and where a
    `torch.func` transform takes a gradient inside of another one or inside of a recorded graph. (A
    second derivative by `torch.autograd` shows only later.)
    """
    if is_forward_mode():
        return True
    if not is_transformed():
        return False
    kinds = [interpreter.key() for interpreter in torch._C._functorch.get_interpreter_stack()]
    transform = torch._C._functorch.TransformType
    depth = kinds.count(transform.Grad)
    if transform.Jvp in kinds or transform.Vmap in kinds or depth > 1:
        return True
    return depth == 1 and any(_requires_grad_below(tensor) for tensor in tensors)


def _requires_grad_below(tensor: Tensor) -> bool:
    """Whether a tensor is part of a graph that was recorded outside of all transforms."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor.requires_grad


def store_of_all_ranks() -> Any:
    """The table of names and bytes that all processes of `torch.distributed` share."""
    from torch.distributed.distributed_c10d import _get_default_store

    return _get_default_store()


_fused: dict[type, bool] = {}


def is_fused_attention(node: torch.autograd.graph.Node) -> bool:
    """Whether a graph node is the backward pass of one of SDPA's fused kernels."""
    kind = type(node)
    if kind not in _fused:
        _fused[kind] = node.name().startswith("ScaledDotProduct")
    return _fused[kind]


def is_hooked(module: torch.nn.Module) -> bool:
    """Whether anything beside its caller may see what a module gives, and keep it."""
    hooks = torch.nn.modules.module._has_any_global_hook() and _global_hooks() > len(_only_naming)
    return bool(hooks or module._forward_hooks or module._forward_pre_hooks)


_only_naming: list[int] = []
_modules = torch.nn.modules.module


def _global_hooks() -> int:
    return sum(
        len(hooks)
        for hooks in (
            _modules._global_backward_pre_hooks,
            _modules._global_backward_hooks,
            _modules._global_forward_hooks,
            _modules._global_forward_pre_hooks,
        )
    )


@contextmanager
def naming_hooks(enter: Callable[..., None], leave: Callable[..., None]) -> Iterator[None]:
    """Hooks on every module that only note which one runs, and keep nothing that it gives."""
    handles = [
        _modules.register_module_forward_pre_hook(enter),
        _modules.register_module_forward_hook(leave, always_call=True),
    ]
    numbers = [handle.id for handle in handles]
    _only_naming.extend(numbers)
    try:
        yield
    finally:
        for number in numbers:
            _only_naming.remove(number)
        for handle in handles:
            handle.remove()


def is_in_backward() -> bool:
    """Whether this thread is in a backward pass, as what is recomputed for one is."""
    return bool(torch._C._current_graph_task_id() != -1)


def overriding(ignored: type) -> Callable[[Iterable[Any]], bool]:
    """`has_torch_function` as it would answer `torch.nn` without the modes of a class.

    `torch.nn` asks it before it takes a fused path, so that no override is lost. A mode that only
    looks overrides nothing. Whoever else asks is told of it, because it is how calls come to it.
    """
    original = torch.overrides.has_torch_function

    def has_torch_function(relevant: Any) -> bool:
        if not original(relevant):
            return False
        asking = sys._getframe(1).f_globals.get("__name__", "")
        modes = torch.overrides._get_current_function_mode_stack()
        if not asking.startswith("torch.nn.modules.") or not modes:
            return True
        others = [mode for mode in modes if not isinstance(mode, ignored)]
        if others:
            return True
        for _ in modes:
            torch.overrides._pop_mode()
        try:
            return original(relevant)
        finally:
            for mode in modes:
                torch.overrides._push_mode(mode)

    return has_torch_function


def has_packed_int8() -> bool:
    """Whether this CPU multiplies bytes exactly and fast (VNNI), and PyTorch's kernel is there."""
    kernels = torch.ops.onednn
    return (
        torch.backends.mkldnn.is_available()
        and torch.cpu._is_vnni_supported()
        and hasattr(kernels, "qlinear_prepack")
        and hasattr(kernels, "qlinear_pointwise")
    )


def pack_int8(weight: Tensor) -> Tensor:
    """A matrix of whole numbers of 8 bits in the order in which `packed_int8_product` reads it."""
    packed: Tensor = torch.ops.onednn.qlinear_prepack(weight, None)
    return packed


def packed_int8_product(x: Tensor, packed: Tensor, step: Tensor, zero: Tensor) -> Tensor:
    """`((x - 128) @ weight.T) * step` of bytes from 0 to 255, summed as integers, in float32.

    `zero` holds a zero of 8 bits for each row of the weight.
    """
    product: Tensor = torch.ops.onednn.qlinear_pointwise(
        x, 1.0, 128, packed, step, zero, None, 1.0, 0, torch.float32, "none", [], "none"
    )
    return product


def has_prepacked_product() -> bool:
    """Whether PyTorch has a product whose matrix was put in order before."""
    kernels = torch.ops.mkldnn
    return (
        torch.backends.mkldnn.is_available()
        and bool(torch.backends.mkldnn.enabled)
        and hasattr(kernels, "_reorder_linear_weight")
        and hasattr(kernels, "_linear_pointwise")
    )


def prepack(weight: Tensor) -> Tensor:
    """A matrix in the order in which `prepacked_product` reads it."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), MANY)
    return packed


def prepacked_product(x: Tensor, packed: Tensor, bias: Tensor | None) -> Tensor:
    """`x @ weight.T + bias` in float32 on a CPU, without a gradient."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
    return product


def int8_product(x: Tensor, weight: Tensor) -> Tensor:
    """The rows of `x` times those of `weight`, whole numbers of 8 bits, summed in 32."""
    return torch._int_mm(x, weight.t())


def unhooked(module: torch.nn.Module, number: int) -> Any:
    """Take a forward hook or pre-hook off a module, with what PyTorch keeps of it beside."""
    hook = module._forward_hooks.pop(number, None) or module._forward_pre_hooks.pop(number, None)
    for flags in (
        module._forward_hooks_with_kwargs,
        module._forward_hooks_always_called,
        module._forward_pre_hooks_with_kwargs,
    ):
        flags.pop(number, None)
    return hook


def forward_hooks(module: torch.nn.Module) -> dict[int, Any]:
    """The forward hooks of a module by their numbers; deleting one here removes it."""
    return module._forward_hooks


def forward_pre_hooks(module: torch.nn.Module) -> dict[int, Any]:
    """The forward pre-hooks of a module by their numbers; deleting one here removes it."""
    return module._forward_pre_hooks


def record_leaves(record: Callable[[Any, torch.nn.Module, Any, Any], Any]) -> None:
    """Let `torch.fx` ask how to record each module that it does not trace into, from now on.

    Args:
        record: from tracer, module, arguments and keyword arguments to the proxy of its output, or
            to None, where the module is recorded as always.
    """
    as_always = fx.Tracer.call_module

    @functools.wraps(as_always)
    def call_module(
        self: Any, m: torch.nn.Module, forward: Any, args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if self.is_leaf_module(m, self.path_of_module(m)):
            recorded = record(self, m, args, kwargs)
            if recorded is not None:
                return recorded
        return as_always(self, m, forward, args, kwargs)

    fx.Tracer.call_module = call_module  # type: ignore[method-assign]
