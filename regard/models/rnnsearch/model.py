"""RNNsearch: the network that introduced attention to sequence-to-sequence learning."""

from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._attention import attention, attention_weights
from regard._typing import Normalizer, Score
from regard.layers.dropout import Dropout
from regard.layers.gru import GRU
from regard.layers.part_module import own, unwrapped
from regard.masks import Padding
from regard.models.rnnsearch.config import RNNsearchConfig
from regard.normalizers import softmax
from regard.scores import Additive


@dataclass(frozen=True, eq=False)
class Encoded:
    """What the decoder needs of a batch of source sentences, computed once.

    `keys` are the annotations projected for the alignment (`U_a h`), `state` is the decoder's
    first state, `mask` hides padding and is None where there is none. Without attention `summary`
    is what the decoder sees, and nothing is projected.
    """

    annotations: Float[Tensor, "batch 1 k_len annotation_dim"]
    keys: Float[Tensor, "batch 1 k_len align_dim"]
    state: Float[Tensor, "batch 1 state_dim"]
    mask: Padding | None
    summary: Float[Tensor, "batch 1 annotation_dim"] | None = None

    @property
    def batch(self) -> int:
        """How many sentences there are."""
        return len(self.keys)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.keys.device


class RNNsearch(nn.Module):
    """Read a sentence in both directions, then write while looking back at it.

        h_j = [->h_j ; <-h_j]                              annotations, two GRUs
        e_ij = v_a^T tanh(W_a s_{i-1} + U_a h_j)           how well does input j match output i
        c_i = sum_j softmax_j(e_ij) h_j                    the context: one attention call
        s_i = GRU(s_{i-1}, [E y_{i-1} ; c_i])              the context enters all gates
        t_i = maxout(U_o s_{i-1} + V_o E y_{i-1} + C_o c_i)
        p(y_i) = softmax(W_o t_i)                          s_0 = tanh(W_s <-h_1)

    `U_a h_j` is computed once per sentence. Without attention (`attention="none"`) the context is
    c = [->h_T ; <-h_1] at every step, as in the encoder-decoder of Cho et al. It differs from the
    paper in its initial weights (orthogonal and Xavier instead of small Gaussians) and in having
    one embedding width for both
    languages.

    Args:
        config: the sizes.
        score: how alike are a decoder state (width `state_dim`) and a projected annotation (width
            `align_dim`)? `Additive(query_dim=state_dim, hidden_dim=align_dim)` if None.
        normalizer: scores to weights.

    >>> config = RNNsearchConfig(source_vocab=9, target_vocab=7, embed_dim=6, hidden_dim=5,
    ...                          state_dim=4, align_dim=3, maxout_dim=2)
    >>> source, target = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([[2, 5], [2, 4]])
    >>> RNNsearch(config)(source, target, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 2, 7])

    References:
        Bahdanau, Cho & Bengio. Neural Machine Translation by Jointly Learning to Align and
        Translate. 2015. https://arxiv.org/abs/1409.0473
        Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk & Bengio. Learning Phrase
        Representations using RNN Encoder-Decoder. 2014. https://arxiv.org/abs/1406.1078
    """

    def __init__(
        self,
        config: RNNsearchConfig,
        score: Score | None = None,
        normalizer: Normalizer = softmax,
    ) -> None:
        super().__init__()
        self.config = config
        annotation_dim = 2 * config.hidden_dim
        self.source_embedding = nn.Embedding(config.source_vocab, config.embed_dim)
        self.target_embedding = nn.Embedding(config.target_vocab, config.embed_dim)
        self.encoder = GRU(config.embed_dim, config.hidden_dim, cells=2)
        self.key: nn.Module = nn.Identity()
        if config.attention == "search":
            self.key = nn.Linear(annotation_dim, config.align_dim, bias=False)
            default = Additive(query_dim=config.state_dim, hidden_dim=config.align_dim)
            self.score: Any = default if score is None else own(score)
        elif score is not None:
            raise ValueError("attention is 'none', so that nothing is scored: leave score out")
        self.normalizer: Any = own(normalizer)
        self.initial = nn.Linear(config.hidden_dim, config.state_dim)
        self.decoder = GRU(config.embed_dim, config.state_dim)
        self.context_gate = nn.Linear(annotation_dim, 2 * config.state_dim, bias=False)
        self.context_candidate = nn.Linear(annotation_dim, config.state_dim, bias=False)
        readout_dim = config.state_dim + config.embed_dim + annotation_dim
        self.readout = nn.Linear(readout_dim, 2 * config.maxout_dim)
        self.output = nn.Linear(config.maxout_dim, config.target_vocab)
        self.dropout = Dropout(config.dropout)

    def forward(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits for each output, given the outputs before it (`target` starts with `<s>`)."""
        return self.decode(self.encode(source, lengths), target)

    def features(
        self,
        source: Int[Tensor, "batch k_len"],
        target: Int[Tensor, "batch q_len"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch q_len width"]:
        """What the output layer reads."""
        return self.maxout(*self.follow(self.encode(source, lengths), target))

    def encode(
        self, source: Int[Tensor, "batch k_len"], lengths: Int[Tensor, " batch"] | None = None
    ) -> Encoded:
        """Annotate the source; `lengths` are None when no sentence is padded."""
        forwards = rearrange(source, "batch k_len -> k_len batch")
        both = torch.stack([forwards, forwards.flip(0)])
        gates, candidates = self.encoder.project(self.dropout(self.source_embedding(both)))
        keep = None
        if lengths is not None:
            position = torch.arange(source.shape[1], device=source.device)
            real = rearrange(position, "k_len -> k_len 1") < lengths
            keep = torch.stack([real, real.flip(0)]).to(gates.dtype).unsqueeze(-1)
        first = gates.new_zeros(2, source.shape[0], self.config.hidden_dim)
        forwards, backwards = self.encoder(gates, candidates, first, keep)
        both = self.dropout(torch.cat([forwards, backwards.flip(0)], dim=-1))
        annotations = rearrange(both, "k_len batch width -> batch 1 k_len width")
        state = rearrange(torch.tanh(self.initial(backwards[-1])), "batch width -> batch 1 width")
        mask = None if lengths is None else Padding(lengths)
        summary = None
        if self.config.attention == "none":
            last = self.dropout(torch.cat([forwards[-1], backwards[-1]], dim=-1))
            summary = rearrange(last, "batch width -> batch 1 width")
        return Encoded(annotations, self.key(annotations), state, mask, summary)

    def decode(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len vocab"]:
        """Logits for every output when the outputs before it are known (teacher forcing)."""
        return self.output(self.maxout(*self.follow(encoded, target)))

    def follow(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> tuple[
        Float[Tensor, "batch q_len state_dim"],
        Float[Tensor, "batch q_len annotation_dim"],
        Float[Tensor, "batch q_len embed_dim"],
    ]:
        """Before each output: the state, the context it finds, and the last output, embedded."""
        inputs = rearrange(target, "batch q_len -> 1 q_len batch")
        embedded = self.dropout(self.target_embedding(inputs))
        gates, candidates = self.decoder.project(embedded)
        if encoded.summary is not None:
            known = self.remember(encoded.state, encoded.summary, gates, candidates)
            return *known, rearrange(embedded, "1 q_len batch width -> batch q_len width")
        state, states, contexts = encoded.state, [], []
        for gate, candidate in zip(gates.unbind(1), candidates.unbind(1), strict=True):
            context = self.look(encoded, state)
            states.append(state)
            contexts.append(context)
            state = self.advance(state, context, gate, candidate)
        embedded = rearrange(embedded, "1 q_len batch width -> batch q_len width")
        return torch.cat(states, dim=1), torch.cat(contexts, dim=1), embedded

    def remember(
        self,
        state: Float[Tensor, "batch 1 state_dim"],
        summary: Float[Tensor, "batch 1 annotation_dim"],
        gates: Float[Tensor, "1 q_len batch gates_dim"],
        candidates: Float[Tensor, "1 q_len batch state_dim"],
    ) -> tuple[Float[Tensor, "batch q_len state_dim"], Float[Tensor, "batch q_len annotation_dim"]]:
        """All states and contexts at once, where every context is the summary."""
        row = rearrange(summary, "batch 1 width -> 1 1 batch width")
        gates, candidates = gates + self.context_gate(row), candidates + self.context_candidate(row)
        first = rearrange(state, "batch 1 width -> 1 batch width")
        after = self.decoder(gates, candidates, first)
        states = torch.cat([first, after.squeeze(0)])[: gates.shape[1]]
        states = rearrange(states, "q_len batch width -> batch q_len width")
        return states, summary.expand(-1, states.shape[1], -1)

    def alignment(
        self, encoded: Encoded, target: Int[Tensor, "batch q_len"]
    ) -> Float[Tensor, "batch q_len k_len"]:
        """How much each output looked at each input: the exact weights, or zeros without any."""
        if encoded.summary is not None or target.shape[1] == 0:
            return encoded.keys.new_zeros(*target.shape, encoded.keys.shape[2])
        states, _, _ = self.follow(encoded, target)
        weights = attention_weights(
            rearrange(states, "batch q_len width -> batch 1 q_len width"),
            encoded.keys,
            score=unwrapped(self.score),
            mask=encoded.mask,
            normalizer=unwrapped(self.normalizer),
        )
        return rearrange(weights, "batch 1 q_len k_len -> batch q_len k_len")

    def start(self, encoded: Encoded, beams: int) -> Float[Tensor, "batch {beams} state_dim"]:
        """The state before the first token, the same for every beam."""
        return encoded.state.expand(-1, beams, -1)

    def step(
        self,
        encoded: Encoded,
        state: Float[Tensor, "batch beams state_dim"],
        token: Int[Tensor, "batch beams"],
    ) -> tuple[Float[Tensor, "batch beams vocab"], Float[Tensor, "batch beams state_dim"]]:
        """Logits of the next output after `token`, and the state after that.

        The beams of a sentence are queries over the same cached keys; nothing is copied per beam.
        """
        embedded = self.target_embedding(token)
        rows = rearrange(embedded, "batch beams width -> 1 1 (batch beams) width")
        gates, candidates = self.decoder.project(rows)
        context = self.look(encoded, state)
        logits = self.output(self.maxout(state, context, embedded))
        return logits, self.advance(state, context, gates.squeeze(1), candidates.squeeze(1))

    def reorder(
        self,
        state: Float[Tensor, "batch beams state_dim"],
        parent: Int[Tensor, "batch chosen"],
    ) -> Float[Tensor, "batch chosen state_dim"]:
        """The state in which each beam continues the beam `parent` of its sentence."""
        return torch.take_along_dim(state, rearrange(parent, "batch beams -> batch beams 1"), dim=1)

    def select(
        self,
        encoded: Encoded,
        state: Float[Tensor, "batch beams state_dim"],
        sentences: Int[Tensor, " some"],
    ) -> tuple[Encoded, Float[Tensor, "some beams state_dim"]]:
        """The same for some of the sentences, when the others are written."""
        mask = encoded.mask
        if mask is not None and mask.lengths is not None:
            mask = Padding(mask.lengths[sentences])
        tensors = (encoded.annotations, encoded.keys, encoded.state)
        annotations, keys, first = (tensor[sentences] for tensor in tensors)
        summary = None if encoded.summary is None else encoded.summary[sentences]
        return Encoded(annotations, keys, first, mask, summary), state[sentences]

    def look(
        self, encoded: Encoded, state: Float[Tensor, "batch beams state_dim"]
    ) -> Float[Tensor, "batch beams annotation_dim"]:
        """The context that each state finds in the source."""
        if encoded.summary is not None:
            return encoded.summary.expand(-1, state.shape[1], -1)
        context = attention(
            rearrange(state, "batch beams width -> batch 1 beams width"),
            encoded.keys,
            encoded.annotations,
            score=unwrapped(self.score),
            mask=encoded.mask,
            normalizer=unwrapped(self.normalizer),
        )
        return rearrange(context, "batch 1 beams width -> batch beams width")

    def advance(
        self,
        state: Float[Tensor, "batch beams state_dim"],
        context: Float[Tensor, "batch beams annotation_dim"],
        gates: Float[Tensor, "1 rows gates_dim"],
        candidates: Float[Tensor, "1 rows state_dim"],
    ) -> Float[Tensor, "batch beams state_dim"]:
        """The next state; `gates` and `candidates` are what the last output contributes."""
        beams = state.shape[1]
        context = rearrange(context, "batch beams width -> (batch beams) width")
        gates = gates[0] + self.context_gate(context)
        candidates = candidates[0] + self.context_candidate(context)
        row = rearrange(state, "batch beams width -> 1 (batch beams) width")
        new = self.decoder(gates[None, None], candidates[None, None], row)
        return rearrange(new, "1 1 (batch beams) width -> batch beams width", beams=beams)

    def maxout(
        self,
        state: Float[Tensor, "batch q_len state_dim"],
        context: Float[Tensor, "batch q_len annotation_dim"],
        embedded: Float[Tensor, "batch q_len embed_dim"],
    ) -> Float[Tensor, "batch q_len maxout_dim"]:
        """The deep output before the logits: a layer of pairs of units, the greater of each."""
        pairs = self.readout(torch.cat([state, context, embedded], dim=-1))
        pairs = rearrange(pairs, "batch q_len (width pair) -> batch q_len width pair", pair=2)
        return self.dropout(pairs.amax(-1))
