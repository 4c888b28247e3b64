"""What a score_mod does to scores, as loops over tiles read it: biases, capped before or after.

A bias that depends on the distance of query and key alone, as ALiBi's and T5's, is a vector with a
number for each distance, so that nothing has the size of all pairs, its gradient neither. It is
asked of the score_mod itself, from whose answer autograd goes on.
"""

import functools

import torch
from torch import Tensor

from regard._backends import _relative
from regard._backends._call import Call, label
from regard._backends._structure import temperature
from regard._kernels.blocked import Relative
from regard._torch_private import is_static
from regard._typing import ScoreMod
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap


def links(mod: ScoreMod | None) -> tuple[ScoreMod, ...]:
    """The score_mods that follow one another."""
    if mod is None:
        return ()
    return mod.mods if type(mod) is Chain else (mod,)


def soft_cap_of(mod: ScoreMod | None) -> SoftCap | None:
    """What caps the scores before anything is added, or else after that."""
    each = links(mod)
    for end in (*each[:1], *each[-1:]):
        if type(end) is SoftCap:
            return end
    return None


def caps_last(mod: ScoreMod | None) -> bool:
    """Whether the cap comes after what is added."""
    each = links(mod)
    return len(each) > 1 and type(each[0]) is not SoftCap and type(each[-1]) is SoftCap


def added_of(mod: ScoreMod | None) -> tuple[ScoreMod, ...]:
    """What is added before it or after it."""
    if soft_cap_of(mod) is None:
        return links(mod)
    return links(mod)[:-1] if caps_last(mod) else links(mod)[1:]


def biases_of(mod: ScoreMod | None) -> tuple[ScoreMod, ...]:
    """What of it does not depend on the queries' vectors."""
    return tuple(one for one in added_of(mod) if type(one) is not RelativeDot)


def dots_of(mod: ScoreMod | None) -> tuple[RelativeDot, ...]:
    """What of it does: products with vectors of distances."""
    return tuple(one for one in added_of(mod) if type(one) is RelativeDot)


def why_not(call: Call) -> str | None:
    """Why the score_mod of this call cannot be read so; None where it can."""
    mod, cap, biases = call.score_mod, soft_cap_of(call.score_mod), biases_of(call.score_mod)
    if cap is not None and (isinstance(cap.cap, Tensor) or not is_static(cap.cap)):
        return f"its cap is a number that is known, and that of {label(cap)} is not"
    if cap is not None and isinstance(temperature(call.normalizer), Tensor):
        return f"it divides what {label(cap)} caps by a number, not by a tensor"
    dots = dots_of(mod)
    if len(dots) > 1 or not (is_by_distance(mod) or (len(biases) == 1 and type(biases[0]) is Bias)):
        return (
            "it adds biases of distances, or one Bias, and one RelativeDot, and caps once, and no "
            f"{label(mod)}"
        )
    if dots and not _relative.is_served(call):
        return "it reads a RelativeDot where queries begin at one position that is known"
    if not is_by_distance(mod) and _begins_elsewhere(biases[0], call):
        return f"sequences begin at rows of their own in {label(mod)}"
    return None


def _begins_elsewhere(mod: ScoreMod, call: Call) -> bool:
    """Whether row 0 of a `Bias` is not the first query of every sequence."""
    assert type(mod) is Bias
    return isinstance(mod.first_query, Tensor) and mod.first_query is not call.q_offset


def cap_of(call: Call) -> float:
    """What scores over the temperature are capped at; 0 where they are not."""
    cap, divisor = soft_cap_of(call.score_mod), temperature(call.normalizer)
    if cap is None:
        return 0.0
    assert not isinstance(cap.cap, Tensor) and not isinstance(divisor, Tensor)
    return cap.cap / divisor


def is_by_distance(mod: ScoreMod | None) -> bool:
    """Whether all biases depend on head, sequence and distance only."""
    return all(map(_is_by_distance, biases_of(mod)))


def _is_by_distance(mod: ScoreMod) -> bool:
    if type(mod) is Bias:
        return mod.tensor.shape[-2:] == (1, 1)
    return type(mod) in (ALiBi, RelativeBias)


def bias_of(call: Call) -> Tensor | None:
    """The sum of biases, over the temperature, in the exact dtype; None where there is none.

    `[B or 1, H or 1, Q + K - 1]` from the distance `q - k` of the last key and the first query on,
    or `[B or 1, H or 1, Q or 1, K]`.
    """
    biases = biases_of(call.score_mod)
    if not biases:
        return None
    if is_by_distance(call.score_mod):
        bias = _by_distance(call, biases)
    else:
        bias = by_pair(call, biases[0]).expand(-1, -1, -1, call.k_len)
    divisor = temperature(call.normalizer)
    return bias / divisor if isinstance(divisor, Tensor) or divisor != 1 else bias


def relative_of(call: Call) -> Relative | None:
    """The product with vectors of distances, over the temperature; None where there is none."""
    dots = dots_of(call.score_mod)
    return _relative.relative_of(call, dots[0]) if dots else None


def written_out(call: Call) -> Tensor | None:
    """All that is added, as `[B or 1, H or 1, Q or 1, K or 1]`; None where it has to be asked."""
    added = links(call.score_mod)
    for mod in added:
        is_bias = type(mod) is Bias and not isinstance(mod.first_query, Tensor)
        if not is_bias and not (type(mod) is RelativeDot and _relative.is_served(call)):
            return None
    each = (
        _relative.written_out(call, mod) if type(mod) is RelativeDot else by_pair(call, mod)
        for mod in added
    )
    return functools.reduce(torch.add, each) if added else None


def _by_distance(call: Call, added: tuple[ScoreMod, ...]) -> Tensor:
    device, (batch, heads) = call.query.device, call.query.shape[:2]
    count = torch.arange(call.q_len + call.k_len, device=device)[:-1]
    distances = (count + (1 - call.k_len)).view(1, 1, 1, -1)
    b = torch.arange(batch, device=device).view(-1, 1, 1, 1)
    h = torch.arange(heads, device=device).view(1, -1, 1, 1)
    q, k = distances + call.first_position, torch.zeros_like(b[:1])
    found = torch.zeros((1, 1, 1, 1), dtype=call.exact, device=device)
    for mod in added:
        found = mod(found, b, h, q, k)
    return found.expand(-1, -1, -1, distances.shape[3]).squeeze(2)


def by_pair(call: Call, mod: ScoreMod) -> Tensor:
    """The tensor of a `Bias` as it is, whose entries are then not looked up one by one."""
    assert type(mod) is Bias
    tensor = mod.tensor.reshape((1,) * (4 - mod.tensor.ndim) + tuple(mod.tensor.shape))
    # What is bound begins with the call's first query, and may go beyond its last one.
    return tensor[:, :, : call.q_len, : call.k_len].to(call.exact)
