"""What lies under a mask must not come out: NaN, infinity, and numbers whose products overflow.

Kernels multiply forbidden values by a weight of zero, and 0 · NaN is NaN. On a CPU one reduction
per tensor tells whether a masked call holds such numbers. If so it is served in a way that keeps
them in:

- a key that no query may see, and a query that may see no key, are set to zero;
- any other non-finite vector is set to zero too, and the queries it really reaches become NaN;
- finite numbers that overflow go to a backend that masks scores before it uses them.

A backend that meets no forbidden pair serves a call first, and its output tells whether to do so.

On another device asking would wait for it, and under a transform nothing can be asked. There the
first two are always done, by arithmetic on the device. In a compiled graph only padding is set to
zero, so that the graph stays what SDPA's would be.

The other way round, a gradient that comes to a query that may see no key must not reach the keys
and values: there, too, 0 · NaN is NaN (`_unanswered`, `_stilled`).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from regard._backends._call import Call, Kernel, repeat_heads
from regard._backends._derivatives import refuse_second
from regard._backends._finite import are_finite
from regard._backends._intervals import clipped, interval_of
from regard._backends._plan import BACKENDS, choose
from regard._backends._reach import sees_any
from regard._backends._structure import conjuncts, follows_from_numbers
from regard._torch_private import can_look_at, is_several, surely
from regard._typing import MaskMod
from regard.errors import UnsupportedByBackend
from regard.masks import Block, Causal, Padding, SlidingWindow

Serve = Callable[[Call], Tensor]

_OVERFLOW = (
    "query, key or value hold numbers whose products overflow and which some query may not see; "
    "backend={!r} keeps them apart"
)


def run(call: Call, backend: str, asked: str | None) -> Tensor:
    """Serve the call by `backend`; nothing that its mask hides comes out."""
    chosen = BACKENDS[backend]

    def serve(call: Call) -> Tensor:
        output = chosen.run(call)
        if chosen.first_derivative_only:
            refuse_second(output, backend)
        return output

    def serve_hidden(clean: Call) -> Tensor:
        if chosen.masks_first or all_finite(clean):
            return serve(clean)
        instead = choose(clean, {name: one for name, one in BACKENDS.items() if one.masks_first})
        if asked is not None:
            raise UnsupportedByBackend(asked, {asked: [_OVERFLOW.format(instead)]})
        return BACKENDS[instead].run(clean)

    apart = getattr(chosen, "keeps_apart", None)
    if apart is not None and apart(call):
        output = serve(call)
        if not can_look_at(call.query):
            return output
        # An infinite key may have a score of minus infinity, so that nothing of it comes out.
        vectors = getattr(chosen, "has_finite_vectors", lambda call: are_finite(call.key))
        if are_finite(output) and vectors(call):
            return output
    return guard(call, serve, serve_hidden)


def guard(call: Call, serve: Serve, serve_hidden: Serve | None = None) -> Tensor:
    """What `serve` makes of the call, `[B, H, Q, …]`, with nothing in it that the mask hides.

    On a CPU, where numbers can be looked at, `serve_hidden` is given those calls, made clean, in
    which something was hidden.
    """
    if call.mask is None:
        return serve(call)
    if torch.compiler.is_compiling():
        return serve(without_padding(call))
    if call.query.is_meta:
        return serve(call)
    if not can_look_at(call.query):
        clean, reached, alive = sanitized(without_padding(call))
        return _marked(_stilled(serve(clean), alive), reached)
    if all_finite(call):
        return _unanswered(serve(call), call)
    clean, reached, alive = sanitized(call)
    return _marked(_stilled((serve_hidden or serve)(clean), alive), reached)


def guarded(kernel: Kernel, call: Call) -> Kernel | None:
    """A kernel that answers None where something its mask hides might come out.

    There is none for a mask that follows from numbers and leaves queries without a key.
    """
    if follows_from_numbers(call.mask):
        if not leaves_none_out(call):
            return None

        def run(query: Tensor, key: Tensor, value: Tensor, mask: MaskMod) -> Tensor | None:
            return kernel(query, key, value, mask) if are_finite(query, key, value) else None

        return run
    score, score_mod, normalizer, offset = (
        call.score, call.score_mod, call.normalizer, call.q_offset,
    )  # fmt: skip

    def asked(query: Tensor, key: Tensor, value: Tensor, mask: MaskMod) -> Tensor | None:
        if not are_finite(query, key, value):
            return None
        output = kernel(query, key, value, mask)
        if output is None or not output.requires_grad:
            return output
        same = Call(query, key, value, score, score_mod, mask, normalizer, 0.0, offset)
        return _unanswered(output, same)

    return asked


def all_finite(call: Call) -> bool:
    """Whether no product of two numbers of query, key and value overflows."""
    return are_finite(call.query, call.key, call.value)


def sanitized(call: Call) -> tuple[Call, Tensor, Tensor]:
    """The call without what its mask hides, and `[B, H, Q]` twice.

    These are the queries that non-finites do reach, and those that may see a key.
    """
    bad_query, bad_key, bad_value = (
        ~tensor.detach().isfinite().all(-1) for tensor in (call.query, call.key, call.value)
    )
    bad_BHK = repeat_heads(bad_key | bad_value, call.groups)
    reached, alive, seen = sees_any(call, bad_BHK)
    unseen = bad_key | bad_value
    if seen is not None:
        unseen = unseen | ~seen.unflatten(1, (-1, call.groups)).any(2)
    clean = call.where(
        query=_without(call.query, bad_query | ~alive),
        key=_without(call.key, unseen),
        value=_without(call.value, unseen),
    )
    return clean, reached | (bad_query & alive), alive


def all_see(call: Call) -> bool:
    """Whether every query may see a key, as far as that is known without asking for all pairs."""
    own = all(type(part) in (Causal, SlidingWindow, Block) for part in conjuncts(call.mask))
    if own and call.offset_is_shared and surely(call.q_offset >= 0):
        return surely(call.q_offset + call.q_len <= call.k_len)  # each has a key at its own place
    return False


def leaves_none_out(call: Call) -> bool:
    """Whether every query may see a key, for masks that are the same in every call of a form."""
    return all_see(call) or bool(_alive(call).all())


def _alive(call: Call) -> Tensor:
    """Which queries `[B, H, Q]` may see a key."""
    found = interval_of(call.mask, call) if call.query.device.type == "cpu" else None
    if found is not None and found.is_run:
        low, high = clipped(found, call)
        return torch.from_numpy(low < high)[:, None].expand(call.query.shape[:3])
    shape = (call.query.shape[0], call.query.shape[1], call.k_len)
    return sees_any(call, torch.zeros(shape, dtype=torch.bool, device=call.query.device))[1]


def _stilled(output: Tensor, alive: Tensor) -> Tensor:
    """The same output, which hands on no gradient of queries that may see no key."""
    if not torch.is_grad_enabled():
        return output
    return torch.where(alive.unsqueeze(-1), output, output.detach())


def _unanswered(output: Tensor, call: Call) -> Tensor:
    """The same output; where its gradient is not finite, none of queries that may see no key.

    That is found out in the backward pass, from the mask alone: nothing else is kept for it.
    """
    if not output.requires_grad or all_see(call):
        return output
    forms = [(x.shape, x.dtype, x.device) for x in (call.query, call.key, call.value)]
    score, score_mod, mask, normalizer = call.score, call.score_mod, call.mask, call.normalizer
    offset = call.q_offset

    def still(gradient: Tensor | None) -> Tensor | None:
        if gradient is None:  # where none was defined, as a check of second derivatives asks
            return None
        if can_look_at(gradient) and not is_several(gradient) and are_finite(gradient):
            return None
        query, key, value = (
            torch.zeros((), dtype=kind, device=at).expand(form) for form, kind, at in forms
        )
        shell = Call(query, key, value, score, score_mod, mask, normalizer, 0.0, offset)
        return gradient.masked_fill(~_alive(shell).unsqueeze(-1), 0)

    output.register_hook(still)
    return output


def without_padding(call: Call) -> Call:
    """The call with zeros for the keys and values that a `Padding` mask hides from every query."""
    for part in conjuncts(call.mask):
        if type(part) is Padding:
            padding = ~part(*call.indices).mT
            key, value = (x.masked_fill(padding, 0) for x in (call.key, call.value))
            call = call.where(key=key, value=value)
    return call


def _without(tensor: Tensor, vectors: Tensor) -> Tensor:
    return tensor.masked_fill(vectors.unsqueeze(-1), 0)


def _marked(output: Tensor, reached: Tensor) -> Tensor:
    return output.masked_fill(reached.unsqueeze(-1), torch.nan)
