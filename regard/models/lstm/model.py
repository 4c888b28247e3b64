"""A recurrent text classifier with configurable pooling."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import AttentionPool, AuxLoss, Dropout, HardPool, Reinforce, ReinforceLoss
from regard.layers.padded_rnn import padded_rnn
from regard.layers.word_dropout import WordDropout
from regard.models.attention import Attends, named
from regard.models.lstm.config import LSTMConfig
from regard.models.pooling import AttentionPooling, HardPooling, Mean, attention_pool, pool_dims
from regard.models.recurrent import initialize, recurrent
from regard.sequences import Sequences


class LSTMClassifier(nn.Module):
    """Read a text with an LSTM or a GRU, pool its states, and predict one of the classes.

        h_1 ... h_n = cells(E x_1, ..., E x_n)      both directions side by side
        p(class) = softmax(W pool(h) + b)

        last        [->h_n ; <-h_1]
        mean        sum_j h_j / n
        attention   sum_j w_j h_j                   w = softmax(u . tanh(V h_j + c))
        hard        h_j                             j = argmax w; sampled from w in training

    The result does not depend on padding. The cells are `torch.nn.LSTM`, with the forget-gate bias
    initialized to 1, and `torch.nn.GRU`.

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> config = LSTMConfig(vocab=9, classes=3, embed_dim=6, hidden_dim=5)
    >>> LSTMClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])

    References:
        Hochreiter & Schmidhuber. Long Short-Term Memory. 1997.
        https://doi.org/10.1162/neco.1997.9.8.1735
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    config_type: ClassVar[type[LSTMConfig]] = LSTMConfig

    def __init__(self, config: LSTMConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        self.words = WordDropout(config.word_dropout, config.unknown)
        self.encoder = recurrent(config, config.embed_dim)
        width = config.hidden_dim * (2 if config.bidirectional else 1)
        pooling = config.pooling
        self.pool: AttentionPool | HardPool | None = None
        self.reinforce: Reinforce | None = None
        if isinstance(pooling, (AttentionPooling, HardPooling)):
            self.pool = pool = attention_pool(pooling, width, attend)
            config = replace(config, pooling=named(pooling, pool_dims(pooling), pool.attend))
            if isinstance(pooling, HardPooling):
                self.pool = HardPool(pool, pooling.estimator, pooling.temperature)
                self.reinforce = Reinforce() if pooling.estimator == "reinforce" else None
        elif attend is not None:
            raise ValueError(f"pooling is {pooling.tag}, so nothing attends: leave attend out")
        self.config = config
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.classes)
        nn.init.normal_(self.embedding.weight, std=0.1)
        initialize(self.encoder)

    def forward(self, source: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        return self.forward_sampled(source)[0]

    def forward_sampled(
        self, source: Sequences
    ) -> tuple[Float[Tensor, "batch classes"], AuxLoss | None]:
        """The logits, and the samples from which hard attention learns."""
        states, sampled = self.encode(source), None
        if self.pool is None:
            pooled = self._fixed_pool(states, source)
        elif isinstance(self.pool, HardPool) and self.training:
            pooled, sampled = self.pool.forward_sampled(states, source.mask)
        else:
            pooled = self.pool(states, source.mask)
        logits = self.output(self.dropout(rearrange(pooled, "batch 1 width -> batch width")))
        if sampled is None or self.reinforce is None:
            return logits, None
        return logits, ReinforceLoss(self.reinforce, sampled)

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch k_len"]:
        """The weight of each token's state; one half each for the last states of two directions."""
        if self.pool is None:
            return self._fixed_weights(source).mean(1)
        found = self.pool.weights(self.encode(source), source.mask)
        return rearrange(found, "batch 1 k_len -> batch k_len")

    def encode(self, source: Sequences) -> Float[Tensor, "batch k_len width"]:
        """The states of the last layer, zeros at padding."""
        embedded = self.dropout(self.embedding(self.words(source.ids)))
        return source.zero_padding(padded_rnn(self.encoder, embedded, source.lengths))

    def _fixed_pool(self, states: Tensor, source: Sequences) -> Float[Tensor, "batch 1 width"]:
        """The sum weighted by what is known beforehand."""
        weights = self._fixed_weights(source)
        split = "batch k_len (way width) -> batch way k_len width"
        states = rearrange(states, split, way=weights.shape[1])
        pooled = rearrange(weights, "batch way k_len -> batch way 1 k_len") @ states
        return rearrange(pooled, "batch way 1 width -> batch 1 (way width)")

    def _fixed_weights(self, source: Sequences) -> Float[Tensor, "batch ways k_len"]:
        """The weights of each direction's states where nothing attends."""
        dtype, ways = self.embedding.weight.dtype, 2 if self.config.bidirectional else 1
        place, end = source.positions, rearrange(source.counts, "batch -> batch 1")
        if isinstance(self.config.pooling, Mean):
            weights = source.real.to(dtype) / end.clamp(min=1)
            return torch.stack([weights] * ways, dim=1)
        last, first = place == end - 1, (place == 0) & (end > 0)
        return torch.stack([last, first][:ways], dim=1).to(dtype)
