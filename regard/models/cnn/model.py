"""A convolutional text classifier with configurable pooling."""

from dataclasses import replace
from typing import Any, ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad, relu

from regard.layers import AttentionPool, Dropout, MeanPool, StackedLSTM
from regard.layers.word_dropout import WordDropout
from regard.models.attention import Attends, maker, named
from regard.models.cnn.config import CNNConfig
from regard.models.cnn.window_max_pool import WindowMaxPool
from regard.models.pooling import (
    AttentionPooling,
    GuidedPooling,
    Mean,
    attention_pool,
    pool_dims,
)
from regard.parts import Dims
from regard.sequences import Sequences


class CNNClassifier(nn.Module):
    """Read a text with filters of several widths, pool their features, predict a class.

        c_j = relu(W_h [x_{j - (h-1)//2} ; ... ; x_{j + h//2}] + b_h)     for each width h
        p(class) = softmax(W pool(c) + b)

        max         max_j c_j, for each filter
        mean        sum_j c_j / n
        attention   sum_j w_j c_j                      w = softmax_j(u . tanh(V c_j + d))
        guided      sum_j w_j c_j                      w = softmax_j(s U c_j), s = LSTM(x)

    Filters are centered on every token, with zero padding at both ends, so that a text may be
    shorter than they are and each feature belongs to a token; the paper places only those that lie
    inside the text. The paper's constraint on the norm of W is omitted.

    Args:
        attend: replaces the attention parts named in the configuration.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = CNNConfig(vocab=9, classes=3, embed_dim=6, filters=4)
    >>> CNNClassifier(config)(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])

    References:
        Kim. Convolutional Neural Networks for Sentence Classification. 2014.
        https://aclanthology.org/D14-1181
        Er, Zhang, Wang & Pratama. Attention pooling-based convolutional neural network for sentence
        modelling. 2016. https://doi.org/10.1016/j.ins.2016.08.084
    """

    config_type: ClassVar[type[CNNConfig]] = CNNConfig

    def __init__(self, config: CNNConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.words = WordDropout(config.word_dropout, config.unknown)
        self.filters = nn.ParameterList(
            torch.empty(config.filters, config.embed_dim, width) for width in config.widths
        )
        for filters in self.filters:
            nn.init.xavier_uniform_(filters)
        width = len(config.widths) * config.filters
        self.bias = nn.Parameter(torch.zeros(width))
        self.guide: StackedLSTM | None = None
        if isinstance(config.pooling, GuidedPooling):
            self.guide = StackedLSTM(config.embed_dim, config.pooling.hidden_dim)
        self.config, self.pool = _pool(config, width, attend)
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.classes)

    def forward(self, source: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        pooled = self.pool(*self._pooled_from(source))
        return self.output(self.dropout(rearrange(pooled, "batch 1 width -> batch width")))

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch k_len"]:
        """How much each token counted: the weight of the filters centered on it.

        For the `max` see `WindowMaxPool.weights`.
        """
        weights = self.pool.weights(*self._pooled_from(source))
        return rearrange(weights, "batch 1 k_len -> batch k_len")

    def features(
        self, embedded: Float[Tensor, "batch k_len embed_dim"], source: Sequences
    ) -> Float[Tensor, "batch k_len width"]:
        """The features of all filters around each token, zeros around padding."""
        if embedded.shape[1] == 0:
            return embedded.new_zeros(len(embedded), 0, len(self.bias))
        channels = rearrange(embedded, "batch k_len width -> batch width k_len")
        found = [
            conv1d(pad(channels, ((width - 1) // 2, width // 2)), filters)
            for width, filters in zip(self.config.widths, self.filters, strict=True)
        ]
        together = rearrange(torch.cat(found, dim=1), "batch width k_len -> batch k_len width")
        return source.zero_padding(relu(together + self.bias))

    def _pooled_from(self, source: Sequences) -> tuple[Any, ...]:
        """What the pool is called with: features, mask and, where there is one, the query."""
        embedded = source.zero_padding(self.embedding(self.words(source.ids)))
        found = self.features(embedded, source)
        if self.guide is None:
            return found, source.mask
        steps = rearrange(embedded, "batch k_len width -> k_len batch width")
        return found, source.mask, self.guide(steps, lengths=source.lengths)[1].hidden[-1]


def _pool(config: CNNConfig, width: int, attend: Attends) -> tuple[CNNConfig, Any]:
    """The pooling of features of this width, and the configuration with its parts by name."""
    pooling = config.pooling
    pool: AttentionPool
    if isinstance(pooling, AttentionPooling):
        dims, pool = pool_dims(pooling), attention_pool(pooling, width, attend)
    elif isinstance(pooling, GuidedPooling):
        dims = Dims(pooling.hidden_dim, width, pooling.hidden_dim)
        made = maker(pooling, dims, attend)()
        pool = AttentionPool(width, made, query_dim=pooling.hidden_dim)
    elif attend is not None:
        raise ValueError(f"pooling is {pooling.tag}, so nothing attends: leave attend out")
    elif isinstance(pooling, Mean):
        return config, MeanPool()
    else:
        return config, WindowMaxPool(config.widths, config.filters)
    return replace(config, pooling=named(pooling, dims, pool.attend)), pool
