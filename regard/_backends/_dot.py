"""What the fused kernels share: what they refuse, how long they take, and the call of SDPA."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from regard._backends._call import Call, label, repeat_heads
from regard._backends._cost import DROPOUT_PASSES, score_work, written
from regard._backends._derivatives import allow_second, recorded
from regard._backends._held import tensors_of
from regard._backends._learned_bias import LearnedBias
from regard._backends._rates import Rates
from regard._backends._rewriting import dot_form, is_dot
from regard._backends._structure import is_softmax, temperature
from regard._torch_private import is_static, is_traced, is_transformed, needs_definition
from regard._typing import Normalizer

NO_TRANSFORM = (
    "it is called under vmap, in forward mode or inside of another derivative, and its kernel has "
    "a forward and a backward pass only"
)


BLOCK = 1000  # scores: as long as it takes the kernel to begin with a block of queries


def refusals(call: Call) -> Iterator[str]:
    """Not a dot product, not a softmax, or a transform that these kernels do not know."""
    yield from others(call)
    if is_transformed_too_far(call):
        yield NO_TRANSFORM


def others(call: Call, also: Normalizer | None = None) -> Iterator[str]:
    """Not a dot product, or not a softmax.

    Args:
        also: a normalizer that is served beside it.
    """
    if not is_dot(call):
        yield f"{label(call.score)} is not a dot product, nor one in disguise"
    if not is_softmax(call.normalizer) and call.normalizer is not also:
        those = "softmax" if also is None else f"softmax and {label(also)}"
        yield f"it normalizes by {those} only, not by {label(call.normalizer)}"


def seconds(
    call: Call,
    rates: Rates,
    pairs: int,
    steps: int,
    *,
    masked: int = 0,
    numbers: int = 0,
    rows: int | None = None,
    products: int = 0,
) -> float:
    """A kernel over so many pairs of a head, and what is done around it.

    Some of the pairs are masked, and `rows` queries share their keys, by default all of a head;
    `products` are operations of other products around it.
    """
    batch, heads, q_len, width = call.query.shape
    rows = max(1, q_len if rows is None else min(rows, q_len))
    flops = 4 * batch * heads * pairs * max(width, call.value.shape[-1])
    projecting, projected = score_work(call)
    steps, numbers = steps + projecting + 3, numbers + projected
    if call.dropout > 0 or (_learns_bias(call) and call.query.device.type != "cpu"):
        passes = 4 + DROPOUT_PASSES * (call.dropout > 0)  # PyTorch has no fused kernel for it
        shown = batch * heads * pairs
        numbers += written(shown * passes, shown * call.query.element_size())
        return rates.seconds(steps + 8, matmul=flops + products, numbers=numbers)
    few = max(1.0, rates.together / rows)
    scores = batch * heads * (pairs + masked + BLOCK * (-(-q_len // rows)))
    found = rates.seconds(steps, fused=few * flops, scores=scores, matmul=products, numbers=numbers)
    # A forward pass is predicted; where both are to come, what is lost in the other counts.
    return found * rates.training if call.needs_grad else found


def _learns_bias(call: Call) -> bool:
    return call.score_mod is not None and any(
        tensor.requires_grad for tensor in tensors_of(call.score_mod)
    )


def fit(call: Call) -> tuple[Tensor, Tensor, Tensor, float]:
    """Query, key and value of one dtype and one width, and the scale of their dot product.

    Kernels that keep the scores on chip want one width; columns of zeros change no dot product.
    """
    form = dot_form(call)
    query, key, scale = form.query, form.key, form.scale / temperature(call.normalizer)
    if isinstance(scale, Tensor) or not is_static(scale):
        # Kernels take a plain number. One that is learned, or that changes from call to call of a
        # compiled graph, goes into the query, in a precision that does not round it away.
        query, key = query.to(call.exact) * scale, key.to(call.exact)
        scale = 1.0
    elif scale < 0:  # kernels split the scale by its square root, or take a maximum before it
        query, scale = -query, -scale
    value = call.value if call.value.dtype == query.dtype else call.value.to(query.dtype)
    missing = value.shape[-1] - query.shape[-1]
    if missing > 0:
        query, key = F.pad(query, (0, missing)), F.pad(key, (0, missing))
    elif missing < 0:
        value = F.pad(value, (0, -missing))
    return query, key, value, scale


def unfit(call: Call, output: Tensor) -> Tensor:
    """The output without the columns that `fit` added, in the query's dtype."""
    value_dim = call.value.shape[-1]
    if output.shape[-1] != value_dim:
        output = output[..., :value_dim]
    return output if output.dtype == call.query.dtype else output.to(call.query.dtype)


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    *,
    grouped: bool,
    mask: Tensor | None = None,
    is_causal: bool = False,
    dropout: float = 0.0,
) -> Tensor:
    """SDPA on tensors made to fit, differentiable as often as one likes."""
    if 0 in query.shape or 0 in key.shape:
        if grouped:
            groups = query.shape[1] // max(1, key.shape[1])
            key, value = repeat_heads(key, groups), repeat_heads(value, groups)
        return (query @ key.mT) @ value  # zeros: kernels divide by these lengths
    if mask is not None and mask.dtype == torch.bool and _records(query, key, value):
        mask = additive(mask, query.dtype)  # as SDPA would; this one can be found again
    return fused(
        query, key, value, scale, grouped=grouped, mask=mask, is_causal=is_causal, dropout=dropout
    )


def fused(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float,
    *,
    grouped: bool,
    mask: Tensor | None,
    is_causal: bool,
    dropout: float,
) -> Tensor:
    """SDPA itself on tensors that are not empty, with a mask that is added."""
    query, key, value = _apart(_side_by_side(query)), _side_by_side(key), _side_by_side(value)
    if mask is not None and dropout < 1.0 and _learns(mask):
        groups = query.shape[1] // key.shape[1]
        key, value = repeat_heads(key, groups), repeat_heads(value, groups)
        biased: Tensor = LearnedBias.apply(query, key, value, mask, scale, dropout, recorded)
        return biased
    output = F.scaled_dot_product_attention(
        query, key, value, mask, dropout, is_causal, scale=scale, enable_gqa=grouped
    )
    if output.requires_grad and not is_traced():
        allow_second(output, query, key, value, mask, scale, is_causal, dropout)
    return output


def _side_by_side(vectors: Tensor) -> Tensor:
    """The same with each vector in one piece: of others SDPA builds the q × k matrix."""
    return vectors if vectors.stride(-1) == 1 else vectors.contiguous()


def _apart(queries: Tensor) -> Tensor:
    """The same, none of them over another in memory: of such SDPA computes nonsense."""
    if not is_traced() and 0 < queries.stride(-2) < queries.shape[-1]:
        return queries.contiguous()
    return queries


def _learns(mask: Tensor) -> bool:
    """Whether this is an eager call on the CPU whose mask wants a gradient."""
    return _records(mask) and mask.device.type == "cpu" and not is_traced()


def _records(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def is_transformed_too_far(call: Call) -> bool:
    """Whether this call is asked for more than the two passes of a fused kernel."""
    if is_transformed() and any(tensor.requires_grad for tensor in tensors_of(call.score_mod)):
        return True  # its kernel takes no gradient to a bias, and cannot see there that it should
    return needs_definition((call.query, call.key, call.value))


def is_grouped(call: Call) -> bool:
    """Whether several query heads share a key/value head, as a plain bool also while compiling."""
    return True if call.query.shape[1] != call.key.shape[1] else False  # noqa: SIM210


def bias(
    call: Call, indices: tuple[Tensor, Tensor, Tensor, Tensor], known: Tensor | None = None
) -> Tensor:
    """What the score_mod adds, over the temperature; minus infinity where the mask forbids.

    Args:
        known: what it adds, where that is known without asking it.
    """
    if known is None:
        zero = torch.zeros((1, 1, 1, 1), dtype=call.exact, device=call.query.device)
        known = call.modified(zero, *indices)
    divisor = temperature(call.normalizer)
    if isinstance(divisor, Tensor) or divisor != 1:
        known = known / divisor
    if call.mask is None:
        return known
    return known.masked_fill(~call.permitted(*indices), -torch.inf)


def additive(permitted: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as SDPA adds it: 0 where it permits, minus infinity where it does not."""
    return torch.zeros((), dtype=dtype, device=permitted.device).where(permitted, -torch.inf)
