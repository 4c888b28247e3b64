"""`with regard.capture() as maps`: the exact attention of everything that runs inside."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from regard._backends._weights import Chosen
from regard._numbers import count
from regard.capturing import switches
from regard.capturing.layers import Layers
from regard.capturing.maps import Maps
from regard.capturing.opaque import listened_to, opaque
from regard.capturing.session import Limits, Session
from regard.capturing.undisturbed import local
from regard.capturing.watch import Watch


class capture:  # noqa: N801  - it reads as a verb: `with regard.capture() as maps`
    """Capture the attention of any model around one unchanged call, whatever kernels it runs on.

    It sees `regard.attention`, `F.scaled_dot_product_attention`, `nn.MultiheadAttention` and
    `nn.TransformerEncoder` with their fast paths, `flex_attention`, and hand-written attention: a
    softmax that is multiplied with values. Outputs are bit-identical to those without the capture:
    fused kernels stay on, and weights are recomputed from query and key when they are read, for
    the requested heads and rows. Training, dropout and the backward pass are unaffected.

    Only calls from this thread are seen; compiled code runs uncompiled meanwhile, recomputation in
    a backward pass is not seen again, and nothing is seen inside a `torch.func` transform.

    Args:
        model: gives the maps their names; None names them relative to the module called.
        layers: which attentions to keep: indices in the order of first calls (-1 is the last),
            or names of modules or of enclosing ones, with `*` and `?`.
        heads, rows: which to keep: an index, a slice, or several. Rows count within each call.
        ops: kernels of your own: see `Opaque`.
        max_bytes: limit on tensors kept in memory; 4 GiB.
        spill: a folder for what would not fit; its files are deleted with the maps.
        gradients: keep what `AttentionMap.gradient` needs.

    Raises:
        UsageError: more would be kept than `max_bytes` allows, or layers do not exist.

    Example:
        >>> import torch, regard
        >>> encoder = torch.nn.TransformerEncoder(
        ...     torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2
        ... ).eval()
        >>> with torch.no_grad(), regard.capture(encoder, layers=[-1]) as maps:
        ...     _ = encoder(torch.randn(1, 5, 8))
        >>> maps[0].name, maps[0].weights(heads=0, rows=[0]).shape
        ('layers.1.self_attn', torch.Size([1, 1, 1, 5]))
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        *,
        layers: Layers = None,
        heads: Chosen = None,
        rows: Chosen = None,
        ops: Iterable[Any] = (),
        max_bytes: int = 4 << 30,
        spill: str | Path | None = None,
        gradients: bool = False,
    ) -> None:
        if model is not None and not isinstance(model, nn.Module):
            raise TypeError(
                f"model must be an nn.Module, not {type(model).__name__}: give the one that is "
                "called in the block, or nothing."
            )
        max_bytes = count("capture", "max_bytes", max_bytes, 0, "it is a number of bytes")
        self._ops = [opaque(each) for each in ops]
        self._given = (model, layers, heads, rows, Limits(max_bytes, spill, gradients))
        self._entered: list[tuple[Session, Maps, ExitStack]] = []

    def __enter__(self) -> Maps:
        session = Session(*self._given)
        maps = Maps(session)
        with ExitStack() as stack:
            switches.on()
            stack.callback(switches.off)
            stack.enter_context(listened_to(self._ops))
            if local.watch is None:
                local.watch = Watch()
                local.watch.__enter__()
            local.watch.begin(session, self._ops)
            self._entered.append((session, maps, stack.pop_all()))
        return maps

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        session, maps, stack = self._entered.pop()
        watch = local.watch
        watch.end(session, self._ops)
        if not watch.sessions:
            watch.__exit__(kind, error, trace)
            local.watch = None
        stack.close()
        session.ran = watch.modules.ran
        session.finish()
        maps._ended = True
