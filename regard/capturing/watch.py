"""The watch of one thread: a mode that sees every call of PyTorch and knows attention."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from regard._backends._bind import bind, without_autocast
from regard._torch_private import is_in_backward, is_transformed
from regard.capturing import flex, gates, multi_head, operated, sdpa
from regard.capturing.handwritten import Handwritten
from regard.capturing.modules import Modules
from regard.capturing.opaque import Opaque, torch_ops
from regard.capturing.provenance import Known, Packed
from regard.capturing.session import Session
from regard.capturing.source import Seen
from regard.capturing.undisturbed import local, unseen

Look = Callable[[Sequence[Any], Mapping[str, Any], Any], Seen | None]

WHOLE: dict[str, Look] = {
    "multi_head_attention_forward": multi_head.seen,
    "_native_multi_head_attention": multi_head.seen_native,
    "_transformer_encoder_layer_fwd": multi_head.seen_layer,
    "flex_attention": flex.seen,
}
"""Functions that are one whole attention → what is made of a call. They go by name, because other
tools put functions of their own in the place of PyTorch's."""

Act = Callable[[Any, Mapping[str, Any], Any], None]


class Watch(TorchFunctionMode):
    """Tells the captures of its thread of every attention; it changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[Session] = []
        self.modules = Modules()
        self._handwritten = Handwritten(self.tell)
        self._acts: dict[Any, Act | None] = {}
        self._firsts: dict[Any, Callable[[Any, Mapping[str, Any]], None]] = {}
        self.ops: list[Opaque] = []

    @property
    def known(self) -> Known:
        """What is known of the thread's tensors."""
        return self._handwritten.known

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if local.away:
            return func(*args, **kwargs)
        try:
            act = self._acts[func]
        except KeyError:
            act = self._acts[func] = self._act(func)
            if (first := self._handwritten.first(func)) is not None:
                self._firsts[func] = first
        if act is not None and func in self._firsts:
            self._firsts[func](args, kwargs)
        output = func(*args, **kwargs)
        if act is not None and not is_unheard():
            act(args, kwargs, output)
        return output

    def _act(self, func: Any) -> Act | None:
        """What is to be done after a function; None where it does not matter."""
        for one in self.ops:
            if func in torch_ops(one.op):
                return partial(self._whole, one.seen)
        name = getattr(func, "__name__", "")
        if name == "_nested_tensor_from_mask":
            return _made_nested
        if name == "to_padded_tensor":
            return _made_dense
        if name == "scaled_dot_product_attention":
            return self._sdpa
        if name in WHOLE:
            return partial(self._whole, WHOLE[name])
        return self._handwritten.handler(func)

    def _whole(self, look: Look, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        with unseen():
            seen = look(args, kwargs, output)
            if seen is not None:
                self.tell(seen)

    def _sdpa(self, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        query = self.known.of(args[0] if args else kwargs.get("query"))
        with unseen():
            seen = sdpa.seen(args, kwargs, output)
            self.tell(sdpa.unpacked(seen, query.heads) if isinstance(query, Packed) else seen)

    def gate(self, block: torch.nn.Module, args: Sequence[Any]) -> None:
        """Tell what a block of maps attends to, which is no call of its own."""
        if len(args) == 1 and isinstance(args[0], torch.Tensor) and not is_unheard():
            for seen in gates.seen(block, args[0]):
                self.tell(seen)

    def begin(self, session: Session, ops: Sequence[Opaque]) -> None:
        """Tell a session, too; calls of these operators as well."""
        self.sessions.append(session)
        self.ops = [*self.ops, *ops]
        self._acts.clear()

    def end(self, session: Session, ops: Sequence[Opaque]) -> None:
        """Tell it no more."""
        self.sessions.remove(session)
        self.ops = [one for one in self.ops if all(one is not other for other in ops)]
        self._acts.clear()
        self.known.clear()

    def tell(self, seen: Seen) -> None:
        place = self.modules.place(seen.child, seen.owner)
        for session in self.sessions:
            session.tell(seen, place)


def _made_nested(args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
    """`nn.TransformerEncoder` leaves padding out; its maps are shown at the full length."""
    local.full_length = args[0].shape[1]


def _made_dense(args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
    local.full_length = 0


def is_unheard() -> bool:
    """Whether this is recomputed for a backward pass, or done to several items under one name."""
    return is_in_backward() or is_transformed()


def heard(run: Any, query: Any, key: Any, value: Any, parts: Any, backend: Any) -> Any:
    """The listener of our own operator: the call runs as ever, and is told."""
    watch = local.watch
    if watch is None or local.away:
        return run(query, key, value, parts, backend)
    with unseen():
        output = run(query, key, value, parts, backend)
        if not is_unheard() and not torch.compiler.is_compiling():
            call = bind(query, key, value, *parts)
            partial = not isinstance(output, torch.Tensor)
            with without_autocast(query.device.type):
                seen = operated.seen(call, output[0] if partial else output, partial)
            watch.tell(seen)
    return output
