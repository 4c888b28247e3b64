"""XLNet (Yang et al., 2019): an encoder that can be trained to read in any order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard.layers import ACTIVATIONS, Dropout, FeedForward, Pairs, PostNorm, RelativeAttention
from regard.layers.known_tokens import require_known
from regard.models.attention import Attends, maker, named
from regard.models.first_weights import start_normal
from regard.models.xlnet.block import Streams, TwoStreamBlock
from regard.models.xlnet.config import XLNetConfig
from regard.models.xlnet.distances import Distances
from regard.models.xlnet.memory import Memory, remembered
from regard.models.xlnet.summary import Summary
from regard.models.xlnet.visible import before, content_mask, query_mask
from regard.sequences import Packed, Sequences, of_ids


@dataclass(frozen=True, eq=False)
class Given:
    """Optional inputs besides the tokens of a text.

    Args:
        places: the positions of the queries in each row; -1 for no query.
        permitted: True where the first token may see the second, such as `before` of an order.
            Every token's content stream sees itself anyway, and no query sees the token at its
            position.
        memory: the memory of the previous segment.
        backward: which rows run from right to left, as half of the published training data did.
    """

    places: Int[Tensor, "batch targets"] | None = None
    permitted: Bool[Tensor, "batch len len"] | None = None
    memory: Memory | None = None
    backward: Bool[Tensor, " batch"] | None = None


NOTHING = Given()
ALONE = -1
"""The segment id of tokens with a segment of their own."""


def in_order(order: Int[Tensor, "batch len"]) -> Given:
    """Query the tokens with an index in a factorization order, by index.

    Args:
        order: the index of each token; -1 if it is given.

    >>> in_order(torch.tensor([[1, -1, 0], [-1, -1, 0]])).places
    tensor([[ 2,  0],
            [-1,  2]])
    """
    count = int((order >= 0).sum(1).max()) if order.numel() else 0
    places = order.argsort(dim=1)[:, order.shape[1] - count :]
    return Given(places.masked_fill(order.gather(1, places) < 0, -1), before(order))


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of encoding a segment.

    Args:
        states: of the queries if positions were given, else of the tokens.
        memory: the memory for the next segment.
    """

    states: Float[Tensor, "batch len embed_dim"]
    memory: Memory


class XLNet(nn.Module):
    """Read a text in both directions, or in any order.

        h = E[token],  g = m
        h <- layer(h; h),  g <- layer(g; h)

    The content stream h sees itself and what is permitted; the query stream g, which starts as one
    learned vector and has only its position, sees what is permitted but not its own token.
    Positions are relative (`RelativeAttention`), so that there is no maximum length, and a `Memory`
    of states extends the text to the left.

    Batches may be padded or packed; packed ones spend nothing on padding except in the attention.
    Dropout on the distance encodings is sampled once for all rows. A query that may see nothing
    attends to nothing, whereas the published code averages what it must not see.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.
        summarizes: whether it has the summary of `XLNetClassifierConfig`.

    >>> from regard.models.xlnet import before
    >>> config = XLNetConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> model, text = XLNet(config).eval(), Sequences.of([[4, 8, 5]])
    >>> order = torch.tensor([[-1, 1, 0]])
    >>> asked = Given(places=torch.tensor([[2, 1]]), permitted=before(order))
    >>> model(text).shape, model.read(text, asked).states.shape
    (torch.Size([1, 3, 8]), torch.Size([1, 2, 8]))

    References:
        Yang, Dai, Yang, Carbonell, Salakhutdinov & Le. XLNet: Generalized Autoregressive
        Pretraining for Language Understanding. 2019. https://arxiv.org/abs/1906.08237
    """

    config_type: ClassVar[type[XLNetConfig]] = XLNetConfig

    def __init__(
        self, config: XLNetConfig, attend: Attends = None, summarizes: bool = False
    ) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.tokens = nn.Embedding(config.vocab, config.embed_dim)
        self.mask = nn.Parameter(torch.empty(config.embed_dim))
        blocks = [_block(config, make()) for _ in range(config.layers)]
        self.blocks: Any = nn.ModuleList(blocks)
        self.distances = Distances(config.embed_dim, config.clamp_length, config.causal)
        self.dropout = Dropout(config.dropout)
        self.summarizer = Summary(config) if summarizes else None
        attention = named(config.attention, config.dims, blocks[0].attention.attend)
        self.config: Any = replace(config, attention=attention)
        start_normal(self, config.init_std)
        nn.init.normal_(self.mask, std=config.init_std)
        for block in blocks:
            for weight in block.attention.vectors():
                nn.init.normal_(weight, std=config.init_std)

    @of_ids
    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The final state of each token; zeros at padding."""
        # One after the other, so that no layer's states outlive the next layer.
        for content, _ in self._states(source, NOTHING):
            last = content
        return source.zero_padding(self.dropout(last))

    @of_ids
    def read(self, source: Sequences | Packed, given: Given = NOTHING) -> Reading:
        """The final state of each token, or of each query if positions are given.

        Raises `ValueError` for a memory with other rows or layers, and for inputs that do not fit
        the tokens.
        """
        entered = list(self._states(source, given))
        content, query = entered.pop()
        limits = self.config.memory_length, self.config.reuse_length
        memory = remembered(source, [each for each, _ in entered], given.memory, *limits)
        if given.places is None:
            return Reading(source.zero_padding(self.dropout(content)), memory)
        gone = rearrange(given.places < 0, "batch targets -> batch targets 1")
        return Reading(self.dropout(query).masked_fill(gone, 0.0), memory)

    @of_ids
    def states(
        self, source: Sequences | Packed, given: Given = NOTHING
    ) -> list[tuple[Tensor, Tensor | None]]:
        """The content and query streams: the input of the first layer, then each layer's output."""
        return list(self._states(source, given, whole=True))

    @of_ids
    def weights(
        self, source: Sequences | Packed, given: Given = NOTHING
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of the queries if positions are given, else of the tokens.

        Packed texts have a row each.
        """
        told, past = self._told(source, given), given.memory
        entering = self._states(source, given)
        found = []
        for number, (block, (content, query)) in enumerate(
            zip(self.blocks, entering, strict=False)
        ):
            keys = block.keys(content, None if past is None else past.states[number], told)
            asked = (content, told.content) if query is None else (query, told.query)
            found.append(block.attention.weights(asked[0], keys, asked[1]))
        return torch.stack(found)

    def summary(
        self, states: Float[Tensor, "batch len embed_dim"], source: Sequences | Packed
    ) -> Float[Tensor, "rows embed_dim"]:
        """One vector per text: of its last token, `<cls>`, unless configured otherwise."""
        return source.last(states) if self.summarizer is None else self.summarizer(states, source)

    def summarizing(
        self, x: Float[Tensor, "batch len width"], source: Sequences
    ) -> Float[Tensor, "batch width"]:
        """The index, in each text, of the token that `summary` reads, or the mean of all."""
        return source.last(x) if self.summarizer is None else self.summarizer.picked(x, source)

    def _states(
        self, source: Sequences | Packed, given: Given, whole: bool = False
    ) -> Iterator[tuple[Tensor, Any]]:
        """Contents and queries that enter the first layer, then what each layer makes of them.

        Where only queries are asked for, the last layer's contents are left out.
        """
        require_known(source.ids, self.tokens.num_embeddings)
        told, past = self._told(source, given), given.memory
        content, query = self.dropout(self.tokens(source.ids)), None
        if given.places is not None:
            batch, targets = given.places.shape
            query = self.dropout(repeat(self.mask, "d -> b n d", b=batch, n=targets))
        yield content, query
        for number, block in enumerate(self.blocks):
            keys = block.keys(content, None if past is None else past.states[number], told)
            if query is not None:
                query = block.through(query, keys, told.query)
            if whole or query is None or number + 1 < len(self.blocks):
                content = block.through(content, keys, told.content)
            yield content, query

    def _told(self, source: Sequences | Packed, given: Given) -> Streams:
        """What every layer is told."""
        past = given.memory
        if past is not None:
            _require_fit(past, source, len(self.blocks), self.config.embed_dim)
        present = source.rows(source.ids).shape[1]
        length = present if past is None else present + past.length
        backward = self._backward(source, given)
        distances = self.dropout(self.distances(present, length, self.mask, backward is not None))
        packed = source if isinstance(source, Packed) else None
        rules = {"causal": self.config.causal, "same_length": self.config.same_length}
        mask = content_mask(source, past, given.permitted, **rules)
        differs = _differs(source, length - present, self.config.alone)
        content = Pairs(present, mask, None, differs, backward, packed)
        if given.places is None:
            return Streams(distances, content, None, packed)
        places = given.places.clamp(min=0)
        mask = query_mask(source, given.places, past, given.permitted, **rules)
        if differs is not None:
            index = rearrange(places, "batch n -> batch n 1").expand(-1, -1, length)
            differs = differs.gather(1, index)
        query = Pairs(present, mask, places, differs, backward)
        return Streams(distances, content, query, packed)

    def _backward(self, source: Sequences | Packed, given: Given) -> Tensor | None:
        """Which rows run from right to left."""
        if given.backward is not None or not self.config.backward_half:
            return given.backward
        rows = len(source)
        return torch.arange(rows, device=source.device) >= (rows + 1) // 2


def _block(config: XLNetConfig, attend: Any) -> TwoStreamBlock:
    activation = ACTIVATIONS[config.activation]
    return TwoStreamBlock(
        RelativeAttention(config.embed_dim, config.num_heads, attend),
        FeedForward(config.embed_dim, config.ff_dim, activation, config.dropout),
        lambda: PostNorm(nn.LayerNorm(config.embed_dim, config.norm_eps), config.dropout),
    )


def _differs(source: Sequences | Packed, past: int, alone: tuple[int, ...]) -> Tensor | None:
    """Whether query and key are of different segments; the memory is of segment 0."""
    if source.segments is None and not alone:
        return None
    rows = source.rows(torch.zeros_like(source.ids) if source.segments is None else source.segments)
    if alone:
        own = torch.isin(source.rows(source.ids), source.ids.new_tensor(alone))
        rows = rows.masked_fill(own, ALONE)
    known = torch.cat([rows.new_zeros(len(rows), past), rows], dim=1)
    return rearrange(rows, "batch q -> batch q 1") != rearrange(known, "batch k -> batch 1 k")


def _require_fit(memory: Memory, source: Sequences | Packed, layers: int, width: int) -> None:
    """Raise unless a memory is of as many layers and rows, and as wide."""
    found = [len(memory.states), len(memory.states[0]), memory.states[0].shape[2]]
    if found != (wanted := [layers, len(source), width]):
        raise ValueError(
            f"a memory must have layers, rows and width {wanted}, got {found}: it is another "
            "network's or another batch's"
        )
