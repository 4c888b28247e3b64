"""Attention whose scores depend on the distance of query and key, and on their segments."""

from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard._typing import MaskMod
from regard.layers.attend import Attend
from regard.layers.part_module import unwrapped
from regard.score_mods import Bias, Chain, RelativeDot
from regard.score_mods.relative_dot import by_rows
from regard.sequences import Packed


@dataclass(frozen=True, eq=False)
class RelativeKeys:
    """Keys and values, projected once for all query streams."""

    key: Float[Tensor, "batch heads k_len head_dim"]
    value: Float[Tensor, "batch heads k_len head_dim"]
    distance: Float[Tensor, "directions heads distances head_dim"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """How the queries of a stream relate to the keys: the same in every layer.

    Args:
        present: how many keys, the last ones, are from the present segment rather than the memory.
        mask: which keys each query may see.
        places: the token of the present segment at which each query is; None if query i is at
            token i.
        differs: whether query and key are in different segments; None without segments.
        backward: which rows are read from right to left; None if none is.
        packed: how the queries are packed; None if they are in rows.
    """

    present: int
    mask: MaskMod | None = None
    places: Int[Tensor, "batch q_len"] | None = None
    differs: Bool[Tensor, "batch q_len k_len"] | None = None
    backward: Bool[Tensor, " batch"] | None = None
    packed: Packed | None = None


class RelativeAttention(nn.Module):
    """Multi-head attention by content, by distance and by segment, as in XLNet.

        score = ((q + u) · k + (q + v) · r[i - j] + (q + w) · s[different]) / sqrt(d)

    with q, k and r = W_r R[i - j] projected per head, u, v and w learned per head, and s one
    vector for keys of the query's own segment and one for those of another. No projection has a
    bias. The first term is a dot product with `q + u` as the query, so that any score may replace
    it; the other two are added to it.

    The second is a `RelativeDot`, which a kernel may add to a tile of scores at a time; only for
    queries at places of their own it is written out, as the third is.

    Args:
        attend: score, normalizer and so on; scaled dot product and softmax if None.

    Example:
        >>> layer, x = RelativeAttention(8, 2), torch.randn(3, 5, 8)
        >>> keys = layer.keys(x, torch.randn(1, 10, 8))
        >>> layer(x, keys, Pairs(present=5)).shape
        torch.Size([3, 5, 8])

    References:
        Dai et al. Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context. 2019.
        https://arxiv.org/abs/1901.02860
        Yang et al. XLNet: Generalized Autoregressive Pretraining for Language Understanding. 2019.
        https://arxiv.org/abs/1906.08237
    """

    def __init__(self, embed_dim: int, num_heads: int, attend: Attend | None = None) -> None:
        super().__init__()
        head_dim = embed_dim // num_heads
        self.num_heads, self.scale = num_heads, head_dim**-0.5
        self.attend = Attend() if attend is None else attend
        inner = num_heads * head_dim
        self.query = nn.Linear(embed_dim, inner, bias=False)
        self.key_value = nn.Linear(embed_dim, 2 * inner, bias=False)
        self.distance = nn.Linear(embed_dim, inner, bias=False)
        self.output = nn.Linear(inner, embed_dim, bias=False)
        self.content_bias = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.distance_bias = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.segment_bias = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.segments = nn.Parameter(torch.zeros(2, num_heads, head_dim))

    def vectors(self) -> tuple[nn.Parameter, ...]:
        """The vectors learned for each head besides the projections."""
        return self.content_bias, self.distance_bias, self.segment_bias, self.segments

    def keys(
        self,
        x: Float[Tensor, "batch len embed_dim"],
        positions: Float[Tensor, "directions distances embed_dim"],
        memory: Float[Tensor, "rows past embed_dim"] | None = None,
        packed: Packed | None = None,
    ) -> RelativeKeys:
        """Project the keys and values (the memory, then the tokens) and every distance.

        `positions` are the embedded distances, in descending order from the number of keys.
        """
        pair = self.key_value(x)
        pair = pair if packed is None else packed.rows(pair)
        if memory is not None:
            pair = torch.cat([self.key_value(memory), pair], dim=1)
        pattern = "batch len (two heads width) -> two batch heads len width"
        key, value = rearrange(pair, pattern, two=2, heads=self.num_heads)
        return RelativeKeys(key, value, self._heads(self.distance(positions)))

    def forward(
        self, x: Float[Tensor, "batch len embed_dim"], keys: RelativeKeys, pairs: Pairs
    ) -> Float[Tensor, "batch len embed_dim"]:
        query, added = self._asked(x, keys, pairs)
        found = self.attend(query, keys.key, keys.value, pairs.mask, score_mod=added)
        found = rearrange(found, "batch heads len width -> batch len (heads width)")
        return self.output(found if pairs.packed is None else pairs.packed.joined(found))

    def weights(
        self, x: Float[Tensor, "batch len embed_dim"], keys: RelativeKeys, pairs: Pairs
    ) -> Float[Tensor, "rows heads q_len k_len"]:
        """The exact weights of the same call."""
        query, added = self._asked(x, keys, pairs)
        return self.attend.weights(query, keys.key, pairs.mask, score_mod=added)

    def _heads(self, x: Tensor) -> Tensor:
        pattern = "batch len (heads width) -> batch heads len width"
        return rearrange(x, pattern, heads=self.num_heads)

    def _asked(
        self, x: Tensor, keys: RelativeKeys, pairs: Pairs
    ) -> tuple[Tensor, Bias | RelativeDot | Chain]:
        """The queries of the first term, and what is added to it."""
        query = self.query(x)
        query = self._heads(query if pairs.packed is None else pairs.packed.rows(query))
        added: list[Any] = [self._by_distance(query, keys, pairs)]
        if pairs.differs is not None:
            added.append(Bias(self._by_segment(query, pairs.differs)))
        if (mod := unwrapped(self.attend.score_mod)) is not None:
            added.append(mod)
        content = query + _of_heads(self.content_bias)
        return content, added[0] if len(added) == 1 else Chain(*added)

    def _by_distance(self, query: Tensor, keys: RelativeKeys, pairs: Pairs) -> Bias | RelativeDot:
        """The second term, for every query and key."""
        query, k_len = query + _of_heads(self.distance_bias), keys.key.shape[2]
        distance = keys.distance
        if pairs.backward is not None:
            distance = distance[pairs.backward.long()]
        if pairs.places is None:
            return RelativeDot(query, distance, farthest=k_len, scale=self.scale)
        scores = by_rows(query * self.scale, distance)
        return Bias(distances_at(scores, pairs.places, pairs.present, k_len))

    def _by_segment(self, query: Tensor, differs: Tensor) -> Tensor:
        """The third term."""
        query = (query + _of_heads(self.segment_bias)) * self.scale
        one, other = torch.einsum("bhqd,shd->sbhq", query, self.segments)
        different = rearrange(differs, "batch q k -> batch 1 q k")
        return torch.where(different, other.unsqueeze(-1), one.unsqueeze(-1))


def distances_at(
    scores: Float[Tensor, "batch heads q_len distances"],
    places: Int[Tensor, "batch q_len"],
    present: int,
    k_len: int,
) -> Float[Tensor, "batch heads q_len k_len"]:
    """Turn scores per distance into scores per key, for queries at places among present tokens.

    Column c is the distance `k_len - c`, so that the query at a place finds key j in column
    `present - place + j`.
    """
    first = rearrange(present - places, "batch q -> batch 1 q 1")
    column = (first + torch.arange(k_len, device=scores.device)).clamp(max=scores.shape[-1] - 1)
    return scores.gather(-1, column.expand(-1, scores.shape[1], -1, -1))


def _of_heads(bias: Tensor) -> Tensor:
    return rearrange(bias, "heads width -> heads 1 width")
