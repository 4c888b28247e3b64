"""Softmax attention over a sequence that is split over many processes."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float
from torch import Tensor

from regard._backends._bind import bind, without_autocast
from regard._backends._call import Call, label
from regard._backends._held import changes_as_it_runs, tensors_of
from regard._backends._structure import Reach, is_softmax, reach
from regard._typing import MaskMod, Normalizer, Score, ScoreMod
from regard.context.agreement import ABSENT, agree, caught, exchanged, require_all, require_one
from regard.context.exchange import Exchange, Return
from regard.context.layout import Layout
from regard.context.pieces import Rows, added, backward, forward, meetings, merged
from regard.context.spans import Spans
from regard.normalizers import softmax
from regard.scores import ConcatLinear, Dot, Location, ScaledDot

Parts = tuple[Any, ...]


def context_parallel(
    query: Float[Tensor, "batch heads q_len head_dim"],
    key: Float[Tensor, "batch kv_heads k_len key_dim"],
    value: Float[Tensor, "batch kv_heads k_len value_dim"],
    *,
    group: dist.ProcessGroup | None = None,
    spans: Spans | None = None,
    score: Score = ScaledDot(),
    score_mod: ScoreMod | None = None,
    mask: MaskMod | Bool[Tensor, "..."] | None = None,
    normalizer: Normalizer = softmax,
    q_offset: int | None = None,
) -> Float[Tensor, "batch heads q_len value_dim"]:
    """`attention` over the sequence of all ranks: each passes its part and gets its own output.

    Keys and values travel from rank to rank while those already received are attended to; partial
    results are merged by their log-sum-exp, and the backward pass sends gradients back the same
    way. A rank holds two others' keys at a time, never all. Keys that no query of a rank may see
    are not sent to it: for a window only those at the border, for a causal mask no later ones.

    Every rank of the group must call it, with tensors that differ only in length and with the same
    parts, and run backward if one does. A length may be 0. Masks, score mods and the tensors in
    them refer to the whole sequence, wherever a rank's part is. Gradients of tensors in parts are
    this rank's share; summed over the ranks, as DDP does, they are those of one process.

    Args:
        group: the processes, all of them if None; its backend has to support the tensors' device.
        spans: the positions (start, length) of this rank's queries and keys in the sequence, such
            as those of `regard.context.zig_zag`; None is one rank after the other.
        normalizer: `softmax` or `Softmax(temperature)`; no other decomposes into sums over keys.
        q_offset: the number of keys, over all ranks, before the first query of all; the default
            aligns the last query with the last key.

    Returns:
        The output of this rank's queries, in their dtype. It has first derivatives only.

    Raises:
        ValueError, TypeError: on every rank, as `attention`, and where ranks disagree.

    Example:
        >>> import tempfile, torch, regard
        >>> import torch.distributed as dist
        >>> store = f"file://{tempfile.mkdtemp()}/store"
        >>> dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
        >>> x = torch.randn(1, 2, 8, 4)
        >>> torch.allclose(regard.context_parallel(x, x, x), regard.attention(x, x, x), atol=1e-6)
        True
        >>> dist.destroy_process_group()

    References:
        Liu, Zaharia & Abbeel. Ring Attention with Blockwise Transformers for Near-Infinite Context.
        2023. https://arxiv.org/abs/2310.01889
        Brandon, Nrusimha, Qian, Ankner, Jin, Song & Ragan-Kelley. Striped Attention: Faster Ring
        Attention for Causal Transformers. 2023. https://arxiv.org/abs/2311.09431
    """
    if not dist.is_initialized():
        raise ValueError(
            "context_parallel got no process group: call torch.distributed.init_process_group "
            "first, as torchrun's programs do."
        )
    parts = score, score_mod, mask, normalizer
    learned = any(tensor.requires_grad for part in parts for tensor in tensors_of(part))
    device = query.device if isinstance(query, Tensor) else torch.device("cpu")
    call, layout = agree(
        lambda: bind(query, key, value, Dot(), None, None, softmax, 0.0, 0),
        learned, spans, q_offset, device, group,
    )  # fmt: skip
    whole, reached = _whole(call, layout, parts, device, group)
    held = list(
        {id(tensor): tensor for part in whole.parts for tensor in tensors_of(part)}.values()
    )
    with without_autocast(device.type):
        ring = Exchange(layout, reached, group)
        output: Tensor = _Attention.apply(ring, whole, call.query, call.key, call.value, *held)
        return output


def _whole(
    call: Call, layout: Layout, parts: Parts, device: torch.device, group: Any
) -> tuple[Call, Reach]:
    """The call of all ranks together, with no numbers in its tensors, and how far a query sees."""

    def bound() -> Call:
        if not is_softmax(parts[-1]):
            raise ValueError(
                f"context_parallel needs normalizer=softmax or a Softmax(temperature), got "
                f"{label(parts[-1])}: only a softmax is a sum over keys."
            )
        if isinstance(parts[0], (Location, ConcatLinear)):
            raise ValueError(
                f"context_parallel needs a score of query and key, but {label(parts[0])} goes by "
                "where a key stands in the call: give another score, or a score_mod."
            )
        for part in parts:
            if changes_as_it_runs(part):
                raise ValueError(
                    f"context_parallel asks a part once for each piece, but {type(part).__name__} "
                    "changes as it runs: call its eval()."
                )
        query, key, value = (
            x.new_zeros(()).expand(*x.shape[:2], length, x.shape[3])
            for x, length in (
                (call.query, layout.q_len),
                (call.key, layout.k_len),
                (call.value, layout.k_len),
            )
        )
        score, score_mod, mask, normalizer = parts
        first = layout.first_query
        return bind(query, key, value, score, score_mod, mask, normalizer, 0.0, first)

    error, whole = caught(bound)
    ends = (ABSENT, ABSENT) if whole is None else reach(whole.mask)
    told = [ABSENT if end is None else end for end in ends]
    heard = exchanged([int(error is None), *told], device, group)
    require_all(error, [each[0] for each in heard])
    require_one("how far the mask reaches", [_shown(each[1:]) for each in heard])
    assert whole is not None
    return whole, reach(whole.mask)


def _shown(ends: list[int]) -> str:
    left, right = ("everything" if end == ABSENT else end for end in ends)
    return f"({left} back, {right} ahead)"


class _Attention(torch.autograd.Function):
    """The output of this rank's queries; gradients go back the way that keys and values came."""

    @staticmethod
    def forward(
        ctx: Any, ring: Exchange, whole: Call, query: Tensor, key: Tensor, value: Tensor,
        *held: Tensor,
    ) -> Tensor:  # fmt: skip
        total = query.new_full((*query.shape[:3], 1), -torch.inf, dtype=whole.exact)
        output = total.new_zeros(*query.shape[:3], value.shape[3])
        for _, pieces, arrived in ring.received(key, value):
            for met in meetings(whole, ring, (query, *arrived), pieces):
                mine, sums = output[:, :, met.queries], total[:, :, met.queries]
                found = merged((mine, sums), forward(met.call))
                mine.copy_(found[0]), sums.copy_(found[1])
        ctx.ring, ctx.whole, ctx.held = ring, whole, held
        given = output.to(query.dtype)
        ctx.save_for_backward(query, key, value, given, total, *held)
        return given

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the gradient of context_parallel has no further derivative: leave create_graph "
                "out, or gather the sequence and use attention."
            )
        query, key, value, output, total, *_ = ctx.saved_tensors  # raises if one was changed
        ring, whole, held = ctx.ring, ctx.whole, ctx.held
        learned = [tensor for tensor in held if tensor.requires_grad]
        went = Rows.of(upstream.to(whole.exact), output, total)
        own = [torch.zeros_like(x, dtype=whole.exact) for x in (query, key, value)]
        shares: list[Tensor | None] = [None] * len(learned)
        back = Return(ring, own[1], own[2]) if any(ctx.needs_input_grad[3:5]) else None
        for step, pieces, arrived in ring.received(key, value):
            here = [torch.zeros_like(x, dtype=whole.exact) for x in arrived]
            for met in meetings(whole, ring, (query, *arrived), pieces):
                grown = backward(met.call, went.cut(met.queries), learned)
                own[0][:, :, met.queries].add_(grown.query)
                here[0][:, :, met.keys].add_(grown.key)
                here[1][:, :, met.keys].add_(grown.value)
                shares = added(shares, grown.held)
            if back is not None:
                back.give(step, pieces, here[0], here[1])
        if back is not None:
            back.finish()
        dq, dk, dv = (g.to(x.dtype) for g, x in zip(own, (query, key, value), strict=True))
        of = dict(zip(map(id, learned), shares, strict=True))
        return None, None, dq, dk, dv, *(of.get(id(tensor)) for tensor in held)
