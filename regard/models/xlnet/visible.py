"""Which tokens a token of XLNet may see."""

import torch
from einops import rearrange
from jaxtyping import Bool, Int
from torch import Tensor

from regard._typing import MaskMod
from regard.masks import Dense, Padding
from regard.models.xlnet.memory import Memory
from regard.sequences import Packed, Sequences


def before(order: Int[Tensor, "batch len"]) -> Bool[Tensor, "batch len len"]:
    """What each token may see in a factorization order: those with a lower index.

    Tokens with index -1 are given and see one another. Only a token's content stream sees the token
    itself: the network keeps its query from seeing it.

    >>> before(torch.tensor([[-1, 1, 0]]))[0].int()
    tensor([[1, 0, 0],
            [1, 0, 1],
            [1, 0, 0]], dtype=torch.int32)
    """
    query = rearrange(order, "batch len -> batch len 1")
    key = rearrange(order, "batch len -> batch 1 len")
    return (key < query) | (key == -1)


def content_mask(
    source: Sequences | Packed,
    memory: Memory | None,
    permitted: Bool[Tensor, "batch len len"] | None,
    *,
    causal: bool,
    same_length: bool,
) -> MaskMod | None:
    """What the content stream of each token sees: what is permitted, and always itself."""
    ragged = memory is not None and memory.lengths is not None
    if permitted is None and not causal and not ragged:
        if isinstance(source, Packed):
            return Padding(source.lengths) if memory is None else _real(source, memory)
        return source.mask if memory is None or source.mask is None else _real(source, memory)
    seen = _seen(source, memory, permitted, causal, same_length)
    past = 0 if memory is None else memory.length
    length = seen.shape[-1] - past
    own = torch.eye(length, dtype=torch.bool, device=seen.device)
    own = torch.cat([own.new_zeros(length, past), own], dim=1)
    return Dense(rearrange((seen | own) & _keys(source, memory), "batch q k -> batch 1 q k"))


def query_mask(
    source: Sequences | Packed,
    places: Int[Tensor, "batch targets"],
    memory: Memory | None,
    permitted: Bool[Tensor, "batch len len"] | None,
    *,
    causal: bool,
    same_length: bool,
) -> Dense:
    """What the query at each position sees: what is permitted, and never the token there."""
    seen = _seen(source, memory, permitted, causal, same_length) & _keys(source, memory)
    past = 0 if memory is None else memory.length
    key = torch.arange(seen.shape[-1], device=seen.device)
    place = rearrange(places, "batch targets -> batch targets 1")
    rows = seen.expand(len(places), -1, -1)
    found = rows.gather(1, place.clamp(min=0).expand(-1, -1, seen.shape[-1]))
    found = found & (key != place + past) & (place >= 0)
    return Dense(rearrange(found, "batch q k -> batch 1 q k"))


def _real(source: Sequences | Packed, memory: Memory) -> Dense:
    return Dense(rearrange(_keys(source, memory), "batch 1 k -> batch 1 1 k"))


def _keys(source: Sequences | Packed, memory: Memory | None) -> Bool[Tensor, "batch 1 keys"]:
    """Which keys there are: of the memory the last ones, of the tokens the first ones."""
    past, rows = 0 if memory is None else memory.length, len(source)
    known = source.counts.new_zeros(rows) if memory is None else memory.counts(rows, source.device)
    key = torch.arange(past + _width(source), device=source.device)
    first, last = (rearrange(each, "batch -> batch 1") for each in (past - known, source.counts))
    return rearrange((key >= first) & (key < past + last), "batch k -> batch 1 k")


def _seen(
    source: Sequences | Packed,
    memory: Memory | None,
    permitted: Bool[Tensor, "batch len len"] | None,
    causal: bool,
    same_length: bool,
) -> Bool[Tensor, "batch len keys"]:
    """What each token may see by the order and by the direction, padding not regarded."""
    past, length, device = 0 if memory is None else memory.length, _width(source), source.device
    query, key = torch.arange(length, device=device), torch.arange(past + length, device=device)
    query = rearrange(query, "q -> 1 q 1")
    seen = torch.ones(1, length, past + length, dtype=torch.bool, device=device)
    if causal:
        seen = key <= query + past
    if same_length:
        known = torch.zeros_like(source.counts)
        known = known if memory is None else memory.counts(len(source), device)
        seen = seen & (query + past - key <= rearrange(known, "batch -> batch 1 1"))
    if permitted is not None:
        wanted = [len(source), length, length]
        if permitted.dtype != torch.bool or list(permitted.shape) != wanted:
            raise ValueError(
                f"what is permitted must be truth values of shape {wanted}, True where the first "
                f"token may see the second, got {permitted.dtype} of {[*permitted.shape]}"
            )
        past_seen = permitted.new_ones(len(source), length, past)
        seen = seen & torch.cat([past_seen, permitted], dim=2)
    return seen


def _width(source: Sequences | Packed) -> int:
    """How many places the longest row has."""
    if isinstance(source, Packed):
        return int(source.lengths.max()) if len(source) else 0
    return source.ids.shape[1]
