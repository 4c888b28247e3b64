"""RNNsearch: the network that introduced attention to sequence-to-sequence learning."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import Attend, Dropout
from regard.layers.gru import GRU
from regard.layers.steps import Tensors, over_steps
from regard.layers.through import through
from regard.masks import Padding
from regard.models.attention import Attends, maker, named
from regard.models.rnnsearch.config import RNNsearchConfig, Search
from regard.parts import Dims
from regard.sequences import Sequences

States = Float[Tensor, "rows hidden_dim"]
"""The decoder's state of every beam, those of a sentence consecutively."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """What the decoder needs of a batch of source sentences, computed once.

    `keys` are the values projected for the alignment (`U_a h`), `state` is the decoder's first
    state, `mask` is the padding mask, None without padding. Without attention the decoder sees
    `summary`, and nothing is projected.
    """

    values: Float[Tensor, "batch 1 k_len annotation_dim"]
    keys: Float[Tensor, "batch 1 k_len attention_dim"]
    state: Float[Tensor, "batch hidden_dim"]
    mask: Padding | None
    summary: Float[Tensor, "batch annotation_dim"] | None


class RNNsearch(nn.Module):
    """Encode a sentence in both directions, then decode while attending to it.

        h_j = [->h_j ; <-h_j]                              annotations, two GRUs
        e_ij = v_a^T tanh(W_a s_{i-1} + U_a h_j)           how well does input j match output i
        c_i = sum_j softmax_j(e_ij) h_j                    the context: one attention call
        s_i = GRU(s_{i-1}, [E y_{i-1} ; c_i])              the context enters all gates
        t_i = maxout(U_o s_{i-1} + V_o E y_{i-1} + C_o c_i)
        p(y_i) = softmax(W_o t_i)                          s_0 = tanh(W_s <-h_1)

    `U_a h_j` is computed once per sentence. Without attention the context is c = [->h_T ; <-h_1]
    at every step, as in the encoder-decoder of Cho et al. It differs from the paper in its initial
    weights (orthogonal and Xavier instead of small Gaussians) and in having one embedding width for
    both languages.

    Args:
        attend: compares a state with projected annotations, instead of the parts named in the
            configuration.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = RNNsearchConfig(source_vocab=9, target_vocab=7, embed_dim=6, hidden_dim=5)
    >>> source, target = Sequences.of([[4, 8, 5], [6]]), torch.tensor([[2, 5], [2, 4]])
    >>> RNNsearch(config)(source, target).shape
    torch.Size([2, 2, 7])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
        Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio. Learning Phrase
        Representations using RNN Encoder-Decoder. 2014. https://arxiv.org/abs/1406.1078
    """

    config_type: ClassVar[type[RNNsearchConfig]] = RNNsearchConfig

    def __init__(self, config: RNNsearchConfig, attend: Attends = None) -> None:
        super().__init__()
        width, annotation_dim = config.hidden_dim, 2 * config.hidden_dim
        self.source_embedding = nn.Embedding(config.source_vocab, config.embed_dim)
        self.target_embedding = nn.Embedding(config.target_vocab, config.embed_dim)
        self.encoder = GRU(config.embed_dim, width, cells=2)
        self.key: nn.Module = nn.Identity()
        self.attend: Attend | None = None
        if isinstance(search := config.attention, Search):
            self.key = nn.Linear(annotation_dim, search.attention_dim, bias=False)
            dims = Dims(width, search.attention_dim, search.attention_dim, projected=True)
            self.attend = maker(search, dims, attend)()
            config = replace(config, attention=named(search, dims, self.attend))
        elif attend is not None:
            raise ValueError("attention is none, so nothing attends: leave attend out")
        self.config = config
        self.initial = nn.Linear(width, width)
        self.decoder = GRU(config.embed_dim, width)
        self.context_gate = nn.Linear(annotation_dim, 2 * width, bias=False)
        self.context_candidate = nn.Linear(annotation_dim, width, bias=False)
        self.readout = nn.Linear(width + config.embed_dim + annotation_dim, 2 * config.maxout_dim)
        self.output = nn.Linear(config.maxout_dim, config.target_vocab)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits of each output, given the previous outputs (`target` starts with `<s>`)."""
        return self.output(self.features(source, target))

    def features(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len maxout_dim"]:
        """The input of the output layer."""
        return self.maxout(*self.follow(self.encode(source), target))

    @torch.no_grad()
    def attention_weights(
        self, source: Sequences, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output attended to each input: exact weights, or zeros without any."""
        encoded = self.encode(source)
        if self.attend is None:
            return encoded.keys.new_zeros(*target.shape, encoded.keys.shape[2])
        states, _, _ = self.follow(encoded, target)
        query = rearrange(states, "batch q_len width -> batch 1 q_len width")
        weights = self.attend.weights(query, encoded.keys, encoded.mask)
        return rearrange(weights, "batch 1 q_len k_len -> batch q_len k_len")

    def encode(self, source: Sequences) -> Annotations:
        """Compute the annotations of the source."""
        words = rearrange(source.ids, "batch k_len -> k_len batch")
        both = torch.stack([words, words.flip(0)])
        gates, candidates = self.encoder.project(self.dropout(self.source_embedding(both)))
        keep = None
        if source.lengths is not None:
            real = rearrange(source.real, "batch k_len -> k_len batch 1")
            keep = torch.stack([real, real.flip(0)]).to(gates.dtype)
        first = gates.new_zeros(2, words.shape[1], self.config.hidden_dim)
        forwards, backwards = self.encoder(gates, candidates, first, keep)
        both = self.dropout(torch.cat([forwards, backwards.flip(0)], dim=-1))
        values = rearrange(both, "k_len batch width -> batch 1 k_len width")
        state = torch.tanh(self.initial(_last(backwards, first[1])))
        summary = None
        if self.attend is None:
            last = (_last(forwards, first[0]), _last(backwards, first[1]))
            summary = self.dropout(torch.cat(last, dim=-1))
        return Annotations(values, self.key(values), state, source.mask, summary)

    def follow(
        self, encoded: Annotations, target: Int[Tensor, "batch q_len"]
    ) -> tuple[
        Float[Tensor, "batch q_len hidden_dim"],
        Float[Tensor, "batch q_len annotation_dim"],
        Float[Tensor, "batch q_len embed_dim"],
    ]:
        """Before each output: the state, its context, and the embedded last output."""
        inputs = rearrange(target, "batch q_len -> 1 q_len batch")
        embedded = self.dropout(self.target_embedding(inputs))
        gates, candidates = self.decoder.project(embedded)
        embedded = rearrange(embedded, "1 q_len batch width -> batch q_len width")
        if encoded.summary is not None:
            states = self._states(encoded.state, encoded.summary, gates, candidates)
            contexts = repeat(encoded.summary, "b width -> b q_len width", q_len=states.shape[1])
            return states, contexts, embedded
        if not target.shape[1]:
            rows = encoded.state.unsqueeze(1)[:, :0]
            return rows, rows.new_zeros(len(rows), 0, encoded.values.shape[-1]), embedded

        def step(state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            context = self._look(encoded, state[0])
            new = self._advance(state[0], context, *(x.unsqueeze(0) for x in inputs))
            return (new,), (state[0], context)

        along = (gates.squeeze(0), candidates.squeeze(0))
        _, found = over_steps(step, (encoded.state,), along)
        states, contexts = (rearrange(x, "q_len rows width -> rows q_len width") for x in found)
        return states, contexts, embedded

    def start(self, encoded: Annotations, beams: int) -> States:
        """The state before the first token, the same for every beam."""
        return repeat(encoded.state, "batch width -> (batch beams) width", beams=beams)

    def step(
        self, encoded: Annotations, state: States, token: Int[Tensor, " rows"]
    ) -> tuple[Float[Tensor, "rows vocab"], States]:
        """Logits of the next output after `token`, and the state after that.

        The beams of a sentence are queries over the same cached keys; nothing is copied per beam.
        """
        embedded = self.target_embedding(token)
        inputs = rearrange(embedded, "rows width -> 1 1 rows width")
        gates, candidates = self.decoder.project(inputs)
        context = self._look(encoded, state)
        logits = through(self.output, self.maxout(state, context, embedded))
        return logits, self._advance(state, context, gates[:, 0], candidates[:, 0])

    def maxout(
        self,
        state: Float[Tensor, "*rows hidden_dim"],
        context: Float[Tensor, "*rows annotation_dim"],
        embedded: Float[Tensor, "*rows embed_dim"],
    ) -> Float[Tensor, "*rows maxout_dim"]:
        """The deep output before the logits: the maximum of each pair of units."""
        pairs = self.readout(torch.cat([state, context, embedded], dim=-1))
        return self.dropout(rearrange(pairs, "... (width pair) -> ... width pair", pair=2).amax(-1))

    def _look(self, encoded: Annotations, state: States) -> Float[Tensor, "rows annotation_dim"]:
        """The context that each state finds in its source."""
        sources = encoded.keys.shape[0]
        beams = state.shape[0] // sources if sources else 1
        if encoded.summary is not None:
            return encoded.summary.repeat_interleave(beams, dim=0)
        assert self.attend is not None, "where nothing attends, there is a summary"
        query = rearrange(state, "(batch beams) width -> batch 1 beams width", beams=beams)
        context = self.attend(query, encoded.keys, encoded.values, encoded.mask)
        return rearrange(context, "batch 1 beams width -> (batch beams) width")

    def _advance(
        self,
        state: States,
        context: Float[Tensor, "rows annotation_dim"],
        gates: Float[Tensor, "1 rows gates_dim"],
        candidates: Float[Tensor, "1 rows hidden_dim"],
    ) -> States:
        """The next state; `gates` and `candidates` are what the last output contributes."""
        gates = gates + self.context_gate(context)
        candidates = candidates + self.context_candidate(context)
        new = self.decoder(gates.unsqueeze(1), candidates.unsqueeze(1), state.unsqueeze(0))
        return rearrange(new, "1 1 rows width -> rows width")

    def _states(
        self,
        state: States,
        summary: Float[Tensor, "rows annotation_dim"],
        gates: Float[Tensor, "1 q_len rows gates_dim"],
        candidates: Float[Tensor, "1 q_len rows hidden_dim"],
    ) -> Float[Tensor, "rows q_len hidden_dim"]:
        """The states before all outputs at once, where every context is the summary."""
        gates = gates + self.context_gate(summary)
        candidates = candidates + self.context_candidate(summary)
        after = self.decoder(gates, candidates, state.unsqueeze(0)).squeeze(0)
        states = torch.cat([state.unsqueeze(0), after])[: gates.shape[1]]
        return rearrange(states, "q_len rows width -> rows q_len width")


def _last(states: Float[Tensor, "steps rows width"], first: States) -> States:
    """The states after the last step, the first ones where there is none."""
    return states[-1] if states.shape[0] else first
