"""What a score_mod does to scores, as links that loops over tiles follow (`_kernels/links.py`).

A bias that depends on the distance of query and key alone, as ALiBi's and T5's, is a vector with a
number for each distance, so that nothing has the size of all pairs, its gradient neither. It is
asked of the score_mod itself, from whose answer autograd goes on. What is merely added may be added
in any order: all of these between two caps are one vector.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from regard._backends import _relative
from regard._backends._call import Call, label
from regard._backends._structure import temperature
from regard._kernels.links import ByDistance, ByPair, Cap, Link
from regard._typing import ScoreMod
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap


def mods_of(mod: ScoreMod | None) -> tuple[ScoreMod, ...]:
    """The score_mods that follow one another."""
    if mod is None:
        return ()
    return mod.mods if type(mod) is Chain else (mod,)


def caps(mod: ScoreMod | None) -> bool:
    """Whether scores are capped."""
    return any(type(one) is SoftCap for one in mods_of(mod))


def dots_of(mod: ScoreMod | None) -> tuple[RelativeDot, ...]:
    """The products with vectors of distances."""
    return tuple(one for one in mods_of(mod) if type(one) is RelativeDot)


def holds_numbers_alone(mod: ScoreMod | None) -> bool:
    """Whether its links are the same in every call: caps that are numbers, or nothing."""
    return all(type(one) is SoftCap and isinstance(one.cap, float) for one in mods_of(mod))


def why_not(call: Call) -> str | None:
    """Why the score_mod of this call cannot be read so; None where it can."""
    for mod in mods_of(call.score_mod):
        if type(mod) not in (SoftCap, Bias, RelativeDot) and not is_by_distance(mod):
            return (
                "its score_mods are SoftCap, ALiBi, RelativeBias, Bias and RelativeDot, in any "
                f"order, and not {label(mod)}"
            )
        if type(mod) is RelativeDot and not _relative.is_served(call):
            return "it reads a RelativeDot where queries begin at one position that is known"
        if not is_by_distance(mod) and _begins_elsewhere(mod, call):
            return f"sequences begin at rows of their own in {label(mod)}"
    return None


def _begins_elsewhere(mod: ScoreMod, call: Call) -> bool:
    """Whether row 0 of a `Bias` is not the first query of every sequence."""
    if type(mod) is not Bias:
        return False
    return isinstance(mod.first_query, Tensor) and mod.first_query is not call.q_offset


def is_by_distance(mod: ScoreMod) -> bool:
    """Whether what is added depends on head, sequence and distance only."""
    if type(mod) is Bias:
        return mod.tensor.shape[-2:] == (1, 1)
    return type(mod) in (ALiBi, RelativeBias)


def links_of(call: Call) -> tuple[Link, ...]:
    """The links of this call, in the exact dtype; all that they hold is over the temperature.

    That is the same as scores over the temperature after the links.
    """
    found: list[Link] = []
    near: list[ScoreMod] = []
    for mod in mods_of(call.score_mod):
        if is_by_distance(mod):
            near.append(mod)
        elif type(mod) is SoftCap:
            found += _by_distance(call, near)
            near = []
            found.append(Cap(_cooled(call, _cap_of(call, mod))))
        elif type(mod) is RelativeDot:
            found.append(_relative.relative_of(call, mod))
        else:
            found.append(ByPair(_cooled(call, by_pair(call, mod).expand(-1, -1, -1, call.k_len))))
    return (*found, *_by_distance(call, near))


def _cooled(call: Call, tensor: Tensor) -> Tensor:
    """Over the temperature."""
    divisor = temperature(call.normalizer)
    return tensor / divisor if isinstance(divisor, Tensor) or divisor != 1 else tensor


def _cap_of(call: Call, mod: SoftCap) -> Tensor:
    if isinstance(mod.cap, Tensor):
        return mod.cap.reshape(1).to(call.exact)
    return torch.ones(1, dtype=call.exact, device=call.query.device) * mod.cap


def _by_distance(call: Call, added: Sequence[ScoreMod]) -> tuple[Link, ...]:
    """The sum of biases by distance; nothing where there are none."""
    if not added:
        return ()
    device, (batch, heads) = call.query.device, call.query.shape[:2]
    count = torch.arange(call.q_len + call.k_len, device=device)[:-1]
    distances = (count + (1 - call.k_len)).view(1, 1, 1, -1)
    b = torch.arange(batch, device=device).view(-1, 1, 1, 1)
    h = torch.arange(heads, device=device).view(1, -1, 1, 1)
    q, k = distances + call.first_position, torch.zeros_like(b[:1])
    found = torch.zeros((1, 1, 1, 1), dtype=call.exact, device=device)
    for mod in added:
        found = mod(found, b, h, q, k)
    return (ByDistance(_cooled(call, found.expand(-1, -1, -1, distances.shape[3]).squeeze(2))),)


def written_out(call: Call) -> Tensor | None:
    """All that is added, as `[B or 1, H or 1, Q or 1, K or 1]`; None where it has to be asked."""
    added = mods_of(call.score_mod)
    for mod in added:
        is_bias = type(mod) is Bias and not isinstance(mod.first_query, Tensor)
        if not is_bias and not (type(mod) is RelativeDot and _relative.is_served(call)):
            return None
    each = (
        _relative.written_out(call, mod) if type(mod) is RelativeDot else by_pair(call, mod)
        for mod in added
    )
    return functools.reduce(torch.add, each) if added else None


def by_pair(call: Call, mod: ScoreMod) -> Tensor:
    """The tensor of a `Bias` as it is, whose entries are then not looked up one by one."""
    assert type(mod) is Bias
    tensor = mod.tensor.reshape((1,) * (4 - mod.tensor.ndim) + tuple(mod.tensor.shape))
    # What is bound begins with the call's first query, and may go beyond its last one.
    return tensor[:, :, : call.q_len, : call.k_len].to(call.exact)
