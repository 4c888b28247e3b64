"""The watch of one thread: a mode that sees every call of PyTorch and knows attention."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from regard._backends._bind import bind, without_autocast
from regard._torch_private import is_in_backward, is_transformed
from regard.capturing import multi_head, operated, sdpa
from regard.capturing.handwritten import Handler, Handwritten
from regard.capturing.modules import Modules
from regard.capturing.session import Session
from regard.capturing.source import Seen
from regard.capturing.undisturbed import local, unseen

Look = Callable[[Sequence[Any], Mapping[str, Any], Any], Seen | None]

WHOLE: dict[Any, Look] = {
    F.scaled_dot_product_attention: sdpa.seen,
    F.multi_head_attention_forward: multi_head.seen,
    torch._native_multi_head_attention: multi_head.seen_native,
    torch._transformer_encoder_layer_fwd: multi_head.seen_layer,
}
"""Functions that are one whole attention → what is made of a call."""


class Watch(TorchFunctionMode):
    """Tells the captures of its thread of every attention; it changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[Session] = []
        self.modules = Modules()
        self._handwritten = Handwritten(self.tell)
        self._handlers: dict[Any, tuple[Handler, str] | None] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if local.away:
            return func(*args, **kwargs)
        try:
            found = self._handlers[func]
        except KeyError:
            found = self._handlers[func] = self._handwritten.handler(func)
        if found is not None:
            output = func(*args, **kwargs)
            if not is_unheard():
                found[0](self._handwritten, found[1], args, kwargs, output)
            return output
        look = WHOLE.get(func)
        output = func(*args, **kwargs)
        if look is not None and not is_unheard():
            with unseen():
                seen = look(args, kwargs, output)
                if seen is not None:
                    self.tell(seen)
        return output

    def tell(self, seen: Seen) -> None:
        place = self.modules.place(seen.child, seen.owner)
        for session in self.sessions:
            session.tell(seen, place)


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
