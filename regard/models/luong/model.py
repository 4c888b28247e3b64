"""Luong's network: stacked LSTMs whose attention comes after the decoder's step."""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._typing import Normalizer
from regard.layers.dropout import Dropout
from regard.layers.stacked_lstm import LSTM, STATES, LSTMState
from regard.models.luong.attention import LuongAttention
from regard.models.luong.config import LuongConfig
from regard.normalizers import softmax


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the decoder needs of a batch of source sentences, computed once.

    `keys` are the annotations as the score wants them, `state` is that of every layer after a
    sentence's last word, `lengths` are None where nothing is padded.
    """

    annotations: Float[Tensor, "batch 1 k_len hidden_dim"]
    keys: Float[Tensor, "batch 1 k_len hidden_dim"]
    state: LSTMState
    lengths: Int[Tensor, " batch"] | None

    @property
    def batch(self) -> int:
        """How many sentences there are."""
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.keys.device


@dataclass(frozen=True, eq=False)
class State:
    """Where the decoder stands: its memory, what its last step found, and how many it has made."""

    hidden: Float[Tensor, "layers batch beams hidden_dim"]
    cell: Float[Tensor, "layers batch beams hidden_dim"]
    found: Float[Tensor, "batch beams hidden_dim"]
    position: int


class Luong(nn.Module):
    """Read a sentence with stacked LSTMs and write with others, each state looking back.

        s_1 .. s_n = LSTMs(E x_1 .. E x_n)                 annotations: the top layer's states
        h_t = LSTMs(h_{t-1}, [E y_{t-1} ; h~_{t-1}])       begins where the encoder ended
        c_t = attention(h_t, s, s)                         see `LuongAttention`
        h~_t = tanh(W_c [c_t ; h_t])
        p(y_t) = softmax(W_o h~_t)

    Attention comes after the step, so that without input feeding (h~ in the second line) all
    outputs look back in one call. Without attention h~ is h. It differs from the paper in its
    initial weights (orthogonal and Xavier, forget gates open, larger where states are read,
    instead of uniform ones) and in the bias of W_o.

    Args:
        config: the sizes, the kind of attention and the score.
        normalizer: scores to weights, for global and local_m attention.

    >>> config = LuongConfig(source_vocab=9, target_vocab=7, embed_dim=6, hidden_dim=5, layers=2)
    >>> source, target = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([[2, 5], [2, 4]])
    >>> Luong(config)(source, target, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 2, 7])

    References:
        Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
        2015. https://arxiv.org/abs/1508.04025
        Sutskever, Vinyals & Le. Sequence to Sequence Learning with Neural Networks. 2014.
        https://arxiv.org/abs/1409.3215
    """

    def __init__(self, config: LuongConfig, normalizer: Normalizer = softmax) -> None:
        super().__init__()
        self.config = config
        width, sizes = config.hidden_dim, (config.embed_dim, config.hidden_dim, config.layers)
        self.source_embedding = nn.Embedding(config.source_vocab, config.embed_dim)
        self.target_embedding = nn.Embedding(config.target_vocab, config.embed_dim)
        self.encoder = LSTM(*sizes, dropout=config.dropout)
        self.decoder = LSTM(*sizes, dropout=config.dropout)
        self.attention: LuongAttention | None = None
        if config.attention != "none":
            self.attention = LuongAttention(config, normalizer)
            self.combine = nn.Linear(2 * width, width, bias=False)
            for part in self.combine.weight.chunk(2, dim=1):
                nn.init.xavier_uniform_(part, STATES)
        self.feed: nn.Linear | None = None
        if config.input_feeding == "on":
            self.feed = nn.Linear(width, 4 * width, bias=False)
            for gate in self.feed.weight.chunk(4):
                nn.init.xavier_uniform_(gate, STATES)
        self.output = nn.Linear(width, config.target_vocab)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits for each output, given the outputs before it (`target` starts with `<s>`)."""
        return self.output(self.features(source, target, lengths))

    def features(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len hidden_dim"]:
        """What the output layer reads."""
        _, found = self.follow(self.encode(source, lengths), target)
        return self.dropout(found)

    def encode(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Encoded:
        """Read the source; `lengths` are None when no sentence is padded.

        Raises `ValueError` for a source that is longer than the location score knows.
        """
        longest = self.config.longest
        if self.attention and self.config.score == "location" and source.shape[1] > (longest or 0):
            raise ValueError(
                f"a source has {source.shape[1]} tokens, but the location score was made for "
                f"longest={longest}: shorten it, or take another score"
            )
        words = rearrange(source, "batch k_len -> k_len batch")
        states, last = self.encoder(self.dropout(self.source_embedding(words)), lengths=lengths)
        annotations = rearrange(states, "k_len batch width -> batch 1 k_len width")
        keys = annotations if self.attention is None else self.attention.key(annotations)
        return Encoded(annotations, keys, last, lengths)

    def decode(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits for every output when the outputs before it are known (teacher forcing)."""
        return self.output(self.dropout(self.follow(encoded, target)[1]))

    def follow(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> tuple[Float[Tensor, "batch q_len hidden_dim"], Float[Tensor, "batch q_len hidden_dim"]]:
        """For each output the top state h, and h~: what it is once it has looked."""
        words = rearrange(target, "batch q_len -> q_len batch")
        gates = self.decoder.project(self.dropout(self.target_embedding(words)))
        if self.feed is None:
            states, _ = self.decoder.advance(gates, encoded.state)
            states = rearrange(states, "q_len batch width -> batch q_len width")
            one_head = rearrange(states, "batch q_len width -> batch 1 q_len width")
            return states, self.look(encoded, one_head, 0).squeeze(1)
        passed = [self.start(encoded, 1)]
        for gate in rearrange(gates, "q_len batch width -> q_len batch 1 width").unbind(0):
            passed.append(self.advance(encoded, gate, passed[-1]))
        none = passed[0].found[:, :0]
        states = torch.cat([none, *(state.hidden[-1] for state in passed[1:])], dim=1)
        return states, torch.cat([none, *(state.found for state in passed[1:])], dim=1)

    def alignment(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output looked at each input: the exact weights, or zeros without any."""
        if self.attention is None or target.shape[1] == 0:
            return encoded.keys.new_zeros(*target.shape, encoded.keys.shape[2])
        states, _ = self.follow(encoded, target)
        states = rearrange(states, "batch q_len width -> batch 1 q_len width")
        return self.attention.weights(states, encoded.keys, encoded.lengths, 0).squeeze(1)

    def look(
        self,
        encoded: Encoded,
        states: Float[Tensor, "batch heads q_len hidden_dim"],
        position: int,
    ) -> Float[Tensor, "batch heads q_len hidden_dim"]:
        """h~: the states with what they find, the first of them at `position`."""
        if self.attention is None:
            return states
        where = (encoded.keys, encoded.annotations, encoded.lengths, position)
        context = self.attention(states, *where)
        return torch.tanh(self.combine(torch.cat([context, states], dim=-1)))

    def advance(
        self, encoded: Encoded, gates: Float[Tensor, "batch beams gates_dim"], state: State
    ) -> State:
        """The next state; `gates` are what the last output contributes.

        The beams of a sentence stand at one place and look at the same keys: they are heads.
        """
        beams = gates.shape[1]
        rows = rearrange(gates, "batch beams width -> (batch beams) width")
        if self.feed is not None:
            found = rearrange(state.found, "batch beams width -> (batch beams) width")
            rows = rows + self.feed(found)
        flat = "layers batch beams width -> layers (batch beams) width"
        before = LSTMState(rearrange(state.hidden, flat), rearrange(state.cell, flat))
        _, after = self.decoder.advance(rearrange(rows, "rows width -> 1 rows width"), before)
        full = "layers (batch beams) width -> layers batch beams width"
        hidden, cell = (rearrange(x, full, beams=beams) for x in (after.hidden, after.cell))
        heads = rearrange(hidden[-1], "batch beams width -> batch beams 1 width")
        found = self.look(encoded, heads, state.position).squeeze(2)
        return State(hidden, cell, found, state.position + 1)

    def start(self, encoded: Encoded, beams: int) -> State:
        """The state before the first token, the same for every beam."""
        hidden, cell = (
            rearrange(x, "layers batch width -> layers batch 1 width").expand(-1, -1, beams, -1)
            for x in (encoded.state.hidden, encoded.state.cell)
        )
        return State(hidden, cell, torch.zeros_like(hidden[-1]), 0)

    def step(
        self, encoded: Encoded, state: State, token: Int[Tensor, "batch beams"]
    ) -> tuple[Float[Tensor, "batch beams vocab"], State]:
        """Logits of the next output after `token`, and the state after that."""
        gates = self.decoder.project(self.target_embedding(token))
        state = self.advance(encoded, gates, state)
        return self.output(state.found), state

    def reorder(self, state: State, parent: Int[Tensor, "batch chosen"]) -> State:
        """The state in which each beam continues the beam `parent` of its sentence."""
        beams = rearrange(parent, "batch chosen -> batch chosen 1")
        hidden, cell = (
            torch.take_along_dim(x, beams.unsqueeze(0), dim=2) for x in (state.hidden, state.cell)
        )
        found = torch.take_along_dim(state.found, beams, dim=1)
        return State(hidden, cell, found, state.position)

    def select(
        self, encoded: Encoded, state: State, sentences: Int[Tensor, " some"]
    ) -> tuple[Encoded, State]:
        """The same for some of the sentences, when the others are written."""
        first = LSTMState(encoded.state.hidden[:, sentences], encoded.state.cell[:, sentences])
        lengths = None if encoded.lengths is None else encoded.lengths[sentences]
        some = Encoded(encoded.annotations[sentences], encoded.keys[sentences], first, lengths)
        memory = (state.hidden[:, sentences], state.cell[:, sentences])
        return some, State(*memory, state.found[sentences], state.position)
