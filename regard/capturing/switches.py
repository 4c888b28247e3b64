"""What is turned on for all threads while any capture is on, and off after the last."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.autograd import Function

from regard._backends import _tap
from regard._torch_private import is_in_backward, naming_hooks, overriding
from regard.capturing.foreign import applied
from regard.capturing.gates import is_gate
from regard.capturing.undisturbed import local
from regard.capturing.watch import Watch, heard

_lock = threading.Lock()
_users = 0
_on = ExitStack()


def on() -> None:
    """Turn on what captures need, unless another one did."""
    global _users, _on
    with _lock:
        if _users == 0:
            with ExitStack() as stack:
                stack.enter_context(_replaced(_tap, "listener", heard))
                stack.enter_context(naming_hooks(_enter, _leave))
                override = overriding(Watch)
                stack.enter_context(_replaced(torch.overrides, "has_torch_function", override))
                stack.enter_context(_heard_functions())
                _without_compiling(stack)
                _on = stack.pop_all()
        _users += 1


def off() -> None:
    """Turn it off if no other capture is on."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            _on.close()


def _without_compiling(stack: ExitStack) -> None:
    """Run compiled code as it was written: in a graph there is nobody to ask.

    What was compiled has loaded the compiler, which is not done here for its own sake; what will be
    compiled in the block has to ask for it.
    """
    stance = ExitStack()
    stack.enter_context(stance)
    compiles = torch.compile

    def eagerly() -> None:
        stance.close()
        stance.enter_context(torch.compiler.set_stance("force_eager"))

    def compile_eagerly(*args: Any, **kwargs: Any) -> Any:
        found = compiles(*args, **kwargs)
        eagerly()
        return found

    if "torch._dynamo" in sys.modules:
        eagerly()
    stack.enter_context(_replaced(torch, "compile", compile_eagerly))
    flex = sys.modules.get("torch.nn.attention.flex_attention")
    if flex is not None:  # it compiles itself, even where it is to run as it is
        stack.enter_context(_replaced(flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True))


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def _heard_functions() -> Iterator[None]:
    """Functions with a gradient of their own are told to the watch of the thread that calls."""
    before = vars(Function)["apply"]
    type.__setattr__(Function, "apply", applied(before.__func__))
    try:
        yield
    finally:
        type.__setattr__(Function, "apply", before)


def _enter(module: nn.Module, args: Any) -> None:
    watch = local.watch
    if watch is not None and not local.away and not is_in_backward():
        watch.modules.enter(module)


def _leave(module: nn.Module, args: Any, output: Any) -> None:
    watch = local.watch
    if watch is None or local.away or is_in_backward():
        return
    if is_gate(module) and output is not None and not watch.modules.has_told:
        watch.gate(module, args)
    watch.modules.leave(module)
