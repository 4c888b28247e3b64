"""A recurrent text classifier whose summary of the states is one argument."""

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regard.layers import Attend, AttentionPool, Choice, Dropout, HardPool, Reinforce
from regard.masks import Padding
from regard.models.lstm.config import LSTMConfig

UNKNOWN = 1
"""The number of `<unk>`."""

Tokens = Int[Tensor, "batch k_len"]
Lengths = Int[Tensor, " batch"] | None


class LSTM(nn.Module):
    """Read a text with an LSTM or a GRU, sum up its states, and answer with one of the classes.

        h_1 ... h_n = cells(E x_1, ..., E x_n)      both directions side by side
        p(class) = softmax(W summary(h) + b)

        last        [->h_n ; <-h_1]
        mean        sum_j h_j / n
        attention   sum_j w_j h_j                   w = softmax(u . tanh(V h_j + c))
        hard        h_j                             j = argmax w; drawn from w while training

    Texts of different lengths are packed, so padding does not exist for it. Its cells are
    `torch.nn.LSTM`, with the bias of the forget gate 1 at first, and `torch.nn.GRU`.

    Args:
        config: the sizes and the summary.
        attend: score, normalizer and so on of an attention, between the learned query `u` and
            `tanh(V h + c)`; the dot product and softmax if None.

    >>> config = LSTMConfig(vocab=9, classes=3, embed_dim=6, hidden_dim=5, summary="attention")
    >>> source = torch.tensor([[4, 8, 5], [6, 0, 0]])
    >>> LSTM(config)(source, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 3])

    References:
        Hochreiter & Schmidhuber. Long Short-Term Memory. 1997.
        https://doi.org/10.1162/neco.1997.9.8.1735
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    def __init__(self, config: LSTMConfig, attend: Attend | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        self.encoder = (nn.LSTM if config.cell == "lstm" else nn.GRU)(
            config.embed_dim,
            config.hidden_dim,
            config.layers,
            batch_first=True,
            bidirectional=config.directions == 2,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        width = config.directions * config.hidden_dim
        self.pool: AttentionPool | HardPool | None = None
        self.reinforce: Reinforce | None = None
        if config.summary in ("attention", "hard"):
            key = nn.Sequential(nn.Linear(width, config.align_dim), nn.Tanh())
            pool = AttentionPool(width, attend, key=key)
            hard = config.summary == "hard"
            self.pool = HardPool(pool, config.estimator) if hard else pool
            if hard and config.estimator == "reinforce":
                self.reinforce = Reinforce()
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.classes)
        _start(self)

    def forward(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch classes"]:
        """Logits of the classes; `lengths` are None when no text is padded."""
        return self.explore(source, lengths)[0]

    def explore(
        self, source: Tokens, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "batch classes"], Choice | None]:
        """The logits, and what a hard attention drew to get them if that has to be taught."""
        states, mask = self.encode(source, lengths), _mask(lengths)
        choice = None
        if isinstance(self.pool, HardPool) and self.training:
            summary, choice = self.pool.explore(states, mask)
        elif self.pool is not None:
            summary = self.pool(states, mask)
        else:
            places = self.places(source, lengths)
            split = "batch k_len (way width) -> batch way k_len width"
            states = rearrange(states, split, way=self.config.directions)
            summary = rearrange(places, "batch way k_len -> batch way 1 k_len") @ states
            summary = rearrange(summary, "batch way 1 width -> batch 1 (way width)")
        summary = rearrange(summary, "batch 1 width -> batch width")
        return self.output(self.dropout(summary)), choice

    @torch.no_grad()
    def look(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch k_len"]:
        """How much each token's state counts in the summary; half and half for two last states."""
        if self.pool is None:
            return self.places(source, lengths).mean(1)
        found = self.pool.weights(self.encode(source, lengths), _mask(lengths))
        return rearrange(found, "batch 1 k_len -> batch k_len")

    def encode(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch k_len width"]:
        """The states of the last layer, zeros where there is no token."""
        if self.training and self.config.word_dropout > 0:
            lost = torch.rand(source.shape, device=source.device) < self.config.word_dropout
            source = source.masked_fill(lost, UNKNOWN)
        embedded = self.dropout(self.embedding(source))
        if source.numel() == 0:
            return embedded.new_zeros(*source.shape, self.output.in_features)
        if lengths is None:
            return self.encoder(embedded)[0]
        # A text without a token is read as one with one; nobody looks at its state.
        real = lengths.clamp(min=1).cpu()
        packed = pack_padded_sequence(embedded, real, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(
            self.encoder(packed)[0], batch_first=True, total_length=source.shape[1]
        )
        return states.masked_fill(rearrange(lengths == 0, "batch -> batch 1 1"), 0.0)

    def places(
        self, source: Tokens, lengths: Lengths = None
    ) -> Float[Tensor, "batch directions k_len"]:
        """The weights of each direction's states where they are known beforehand."""
        if lengths is None:
            lengths = torch.full((len(source),), source.shape[1], device=source.device)
        kind = self.embedding.weight.dtype
        position = torch.arange(source.shape[1], device=source.device)
        end = rearrange(lengths, "batch -> batch 1")
        if self.config.summary == "mean":
            weights = (position < end).to(kind) / end.clamp(min=1)
            return repeat(weights, "batch k_len -> batch way k_len", way=self.config.directions)
        last, first = position == end - 1, (position == 0) & (end > 0)
        return torch.stack([last, first][: self.config.directions], dim=1).to(kind)


def _mask(lengths: Lengths) -> Padding | None:
    return None if lengths is None else Padding(lengths)


@torch.no_grad()
def _start(model: LSTM) -> None:
    """Small embeddings, orthogonal recurrences, and memory cells that remember at first."""
    model.embedding.weight.normal_(std=0.1)
    for name, weight in model.encoder.named_parameters():
        if "weight_hh" in name:
            for square in weight.chunk(weight.shape[0] // weight.shape[1]):
                nn.init.orthogonal_(square)
        elif "weight_ih" in name:
            nn.init.xavier_uniform_(weight)
        else:
            weight.zero_()
            if model.config.cell == "lstm" and "bias_ih" in name:
                weight.chunk(4)[1].fill_(1.0)
