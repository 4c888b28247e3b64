"""A recurrent tagger whose states may attend to each other."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import Dropout, SelfAttention
from regard.layers.padded_rnn import padded_rnn
from regard.layers.word_dropout import WordDropout
from regard.models.attention import Attends, maker, named
from regard.models.lstm.config import LSTMTaggerConfig, SelfAttending
from regard.models.recurrent import initialize, recurrent
from regard.sequences import Sequences


class LSTMTagger(nn.Module):
    """Read a sentence with an LSTM or a GRU, and predict a tag for each word.

        h_1 ... h_n = cells(E x_1, ..., E x_n)      both directions side by side
        p(tag_j) = softmax(W h_j + b)                                       none
        p(tag_j) = softmax(W [h_j ; attend(h_j, h_1 ... h_n)] + b)          self

    Here `attend` is a self-attention layer with projections. The result does not depend on
    padding. Unlike in Huang et al., there is no conditional random field over the tags.

    Args:
        attend: replaces the attention parts named in the configuration.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = LSTMTaggerConfig(vocab=9, classes=3, embed_dim=6, hidden_dim=5)
    >>> LSTMTagger(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3, 3])

    References:
        Huang, Xu & Yu. Bidirectional LSTM-CRF Models for Sequence Tagging. 2015.
        https://arxiv.org/abs/1508.01991
    """

    config_type: ClassVar[type[LSTMTaggerConfig]] = LSTMTaggerConfig

    def __init__(self, config: LSTMTaggerConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.words = WordDropout(config.word_dropout, config.unknown)
        self.encoder = recurrent(config, config.embed_dim)
        initialize(self.encoder)
        self.attention: SelfAttention | None = None
        width, parts = config.width, config.attention
        if isinstance(parts, SelfAttending):
            made = maker(parts, config.dims, attend)()
            self.attention = SelfAttention(width, parts.num_heads, made)
            config = replace(config, attention=named(parts, config.dims, made))
        elif attend is not None:
            raise ValueError("attention is none, so nothing attends: leave attend out")
        self.config = config
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width * (1 if self.attention is None else 2), config.classes)

    def forward(self, source: Sequences) -> Float[Tensor, "batch len classes"]:
        """Logits of each word's tag, zeros at padding."""
        states = self.encode(source)
        if self.attention is not None:
            states = torch.cat([states, self.attention(states, source.mask)], dim=-1)
        return source.zero_padding(self.output(self.dropout(states)))

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch len len"]:
        """How much each word attended to each, averaged over heads; zeros without attention."""
        if self.attention is None:
            return self.embedding.weight.new_zeros(*source.ids.shape, source.ids.shape[1])
        found = self.attention.weights(self.encode(source), source.mask)
        mean = reduce(found, "batch heads q_len k_len -> batch q_len k_len", "mean")
        return source.zero_padding(mean)

    def encode(self, source: Sequences) -> Float[Tensor, "batch len width"]:
        """The states of the last layer, zeros at padding."""
        embedded = self.dropout(self.embedding(self.words(source.ids)))
        return source.zero_padding(padded_rnn(self.encoder, embedded, source.lengths))
