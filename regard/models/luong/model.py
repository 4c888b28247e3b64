"""Luong's network: stacked LSTMs whose attention comes after the decoder's step."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.generation.state import along
from regard.layers import Dropout
from regard.layers.stacked_lstm import STATES, LSTMState, StackedLSTM
from regard.layers.steps import Tensors, over_steps
from regard.layers.through import through
from regard.masks import Padding
from regard.models.attention import Attends, NoAttention
from regard.models.luong.attention import LuongAttention
from regard.models.luong.config import LuongConfig
from regard.sequences import Sequences

TopStates = Float[Tensor, "batch q_len hidden_dim"]


@dataclass(frozen=True, eq=False)
class StackedAnnotations:
    """What the decoder needs of a batch of source sentences, computed once.

    `keys` are the values as the score needs them, `state` is that of every layer after a sentence's
    last word, `mask` is the padding mask, None without padding, `counts` are the lengths.
    """

    values: Float[Tensor, "batch 1 k_len hidden_dim"]
    keys: Float[Tensor, "batch 1 k_len hidden_dim"]
    state: LSTMState = field(metadata=along(1))
    mask: Padding | None
    counts: Int[Tensor, " batch"]


@dataclass(frozen=True, eq=False)
class FedState:
    """The decoder's state: LSTM states, the last attentional state, and the number of steps."""

    memory: LSTMState = field(metadata=along(1))
    found: Float[Tensor, "rows hidden_dim"]
    position: int


class Luong(nn.Module):
    """Encode a sentence with stacked LSTMs and decode with others, attending at each step.

        s_1 .. s_n = LSTMs(E x_1 .. E x_n)                 annotations: the top layer's states
        h_t = LSTMs(h_{t-1}, [E y_{t-1} ; h~_{t-1}])       starts from the encoder's last state
        c_t = attention(h_t, s, s)                         see `LuongAttention`
        h~_t = tanh(W_c [c_t ; h_t])
        p(y_t) = softmax(W_o h~_t)

    Attention comes after the step, so that without input feeding (h~ in the second line) all
    outputs attend in one call. Without attention h~ is h. It differs from the paper in its initial
    weights (orthogonal and Xavier, forget gates open, larger for layers that read states, instead
    of uniform) and in the bias of W_o.

    Args:
        attend: compares a state with annotations, instead of the parts named in the configuration;
            local_p has its own normalizer.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = LuongConfig(source_vocab=9, target_vocab=7, embed_dim=6, hidden_dim=5)
    >>> source, target = Sequences.of([[4, 8, 5], [6]]), torch.tensor([[2, 5], [2, 4]])
    >>> Luong(config)(source, target).shape
    torch.Size([2, 2, 7])

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
        Sutskever, Vinyals & Le. Sequence to Sequence Learning with Neural Networks. 2014.
        https://arxiv.org/abs/1409.3215
    """

    config_type: ClassVar[type[LuongConfig]] = LuongConfig

    def __init__(self, config: LuongConfig, attend: Attends = None) -> None:
        super().__init__()
        width, sizes = config.hidden_dim, (config.embed_dim, config.hidden_dim, config.layers)
        self.source_embedding = nn.Embedding(config.source_vocab, config.embed_dim)
        self.target_embedding = nn.Embedding(config.target_vocab, config.embed_dim)
        self.encoder = StackedLSTM(*sizes, dropout=config.dropout)
        self.decoder = StackedLSTM(*sizes, dropout=config.dropout)
        self.attention: LuongAttention | None = None
        if not isinstance(where := config.attention, NoAttention):
            self.attention = LuongAttention(width, where, config.max_source_length, attend)
            config = replace(config, attention=self.attention.where)
            self.combine = nn.Linear(2 * width, width, bias=False)
            for part in self.combine.weight.chunk(2, dim=1):
                nn.init.xavier_uniform_(part, STATES)
        elif attend is not None:
            raise ValueError("attention is none, so nothing attends: leave attend out")
        self.config = config
        self.feed: nn.Linear | None = None
        if config.input_feeding:
            self.feed = nn.Linear(width, 4 * width, bias=False)
            for gate in self.feed.weight.chunk(4):
                nn.init.xavier_uniform_(gate, STATES)
        self.output = nn.Linear(width, config.target_vocab)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of each output, given the previous outputs (`target` starts with `<s>`)."""
        return self.output(self.features(source, target))

    def features(self, source: Sequences, target: Int[Tensor, "batch q_len"]) -> TopStates:
        """The input of the output layer."""
        _, found = self.follow(self.encode(source), target)
        return self.dropout(found)

    @torch.no_grad()
    def attention_weights(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output attended to each input: exact weights, or zeros without any."""
        encoded = self.encode(source)
        if self.attention is None or target.shape[1] == 0:
            return encoded.keys.new_zeros(*target.shape, encoded.keys.shape[2])
        states, _ = self.follow(encoded, target)
        query = rearrange(states, "batch q_len width -> batch 1 q_len width")
        place = torch.arange(target.shape[1], device=target.device)
        weights = self.attention.weights(query, encoded.keys, encoded.mask, encoded.counts, place)
        return rearrange(weights, "batch 1 q_len k_len -> batch q_len k_len")

    def encode(self, source: Sequences) -> StackedAnnotations:
        """Encode the source."""
        words = rearrange(source.ids, "batch k_len -> k_len batch")
        embedded = self.dropout(self.source_embedding(words))
        states, last = self.encoder(embedded, lengths=source.lengths)
        values = rearrange(states, "k_len batch width -> batch 1 k_len width")
        keys = values if self.attention is None else self.attention.key(values)
        return StackedAnnotations(values, keys, last, source.mask, source.counts)

    def follow(
        self, encoded: StackedAnnotations, target: Int[Tensor, "batch q_len"]
    ) -> tuple[TopStates, TopStates]:
        """For each output, the top state h, and the attentional state h~."""
        words = rearrange(target, "batch q_len -> q_len batch")
        gates = self.decoder.project(self.dropout(self.target_embedding(words)))
        if self.feed is None:
            states, _ = self.decoder.advance(gates, encoded.state)
            states = rearrange(states, "q_len batch width -> batch q_len width")
            place = torch.arange(target.shape[1], device=target.device)
            return states, self._look(encoded, states, place)
        first = self.start(encoded, 1)
        if not target.shape[1]:
            return first.found.unsqueeze(1)[:, :0], first.found.unsqueeze(1)[:, :0]

        def step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            memory, found = self._advance(
                encoded, inputs[0], LSTMState(*state[:2]), state[2], inputs[1]
            )
            return (memory.hidden, memory.cell, found), (memory.hidden[-1], found)

        place = torch.arange(target.shape[1], device=target.device)
        memory = (first.memory.hidden, first.memory.cell)
        _, both = over_steps(step, (*memory, first.found), (gates, place))
        states, found = (rearrange(x, "q_len batch width -> batch q_len width") for x in both)
        return states, found

    def start(self, encoded: StackedAnnotations, beams: int) -> FedState:
        """The state before the first token, the same for every beam."""
        hidden, cell = (
            repeat(each, "layers batch width -> layers (batch beams) width", beams=beams)
            for each in (encoded.state.hidden, encoded.state.cell)
        )
        return FedState(LSTMState(hidden, cell), torch.zeros_like(hidden[-1]), 0)

    def step(
        self, encoded: StackedAnnotations, state: FedState, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], FedState]:
        """Logits of the next output after `token`, and the state after that.

        The beams of a sentence are queries over the same cached keys; nothing is copied per beam.
        """
        embedded = rearrange(self.target_embedding(token), "rows width -> 1 rows width")
        gates, place = self.decoder.project(embedded)[0], state.position
        where = torch.full((), place, device=gates.device)
        memory, found = self._advance(encoded, gates, state.memory, state.found, where)
        return through(self.output, found), FedState(memory, found, place + 1)

    def _advance(
        self,
        encoded: StackedAnnotations,
        gates: Float[Tensor, "rows gates_dim"],
        memory: LSTMState,
        found: Float[Tensor, "rows hidden_dim"],
        place: Int[Tensor, ""],
    ) -> tuple[LSTMState, Float[Tensor, "rows hidden_dim"]]:
        """The next memory and h~; `gates` are what the last output contributes."""
        if self.feed is not None:
            gates = gates + self.feed(found)
        top, memory = self.decoder.advance(gates.unsqueeze(0), memory)
        sources = encoded.keys.shape[0]
        beams = top.shape[1] // sources if sources else 1
        states = rearrange(top, "1 (batch beams) width -> batch beams width", beams=beams)
        found = self._look(encoded, states, place.expand(beams))
        return memory, rearrange(found, "batch beams width -> (batch beams) width")

    def _look(
        self, encoded: StackedAnnotations, states: TopStates, position: Int[Tensor, " q_len"]
    ) -> TopStates:
        """h~: the states with what they find, as outputs at these places."""
        if self.attention is None:
            return states
        query = rearrange(states, "batch q_len width -> batch 1 q_len width")
        source = (encoded.keys, encoded.values, encoded.mask, encoded.counts)
        context = rearrange(
            self.attention(query, *source, position), "batch 1 q_len width -> batch q_len width"
        )
        return torch.tanh(self.combine(torch.cat([context, states], dim=-1)))
