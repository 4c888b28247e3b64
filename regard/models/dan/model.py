"""The deep averaging network: a bag of words and a few layers, the baseline to beat."""

from dataclasses import replace
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import AttentionPool, Dropout, MeanPool, WordDropout
from regard.models.attention import Attends, named
from regard.models.dan.config import DANConfig
from regard.models.pooling import AttentionPooling, attention_pool, pool_dims
from regard.sequences import Sequences


class DAN(nn.Module):
    """Average the words of a text, apply a few layers, predict one of the classes.

        v = mean_j E x_j        z_i = relu(W_i z_{i-1} + b_i),  z_0 = v
        p(class) = softmax(W z_layers + b)

    With attention pooling, the words are weighted before they are summed.

    Args:
        attend: replaces the attention parts named in the configuration.

    >>> DAN(DANConfig(vocab=9, classes=3))(Sequences.of([[4, 8, 5], [6]])).shape
    torch.Size([2, 3])

    References:
        Iyyer, Manjunatha, Boyd-Graber & Daumé III. Deep Unordered Composition Rivals Syntactic
        Methods for Text Classification. 2015. https://aclanthology.org/P15-1162
    """

    config_type: ClassVar[type[DANConfig]] = DANConfig

    def __init__(self, config: DANConfig, attend: Attends = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.words = WordDropout(config.word_dropout, config.unknown)
        pooling = config.pooling
        self.pool: MeanPool | AttentionPool = MeanPool()
        if isinstance(pooling, AttentionPooling):
            self.pool = pool = attention_pool(pooling, config.embed_dim, attend)
            config = replace(config, pooling=named(pooling, pool_dims(pooling), pool.attend))
        elif attend is not None:
            raise ValueError(f"pooling is {pooling.tag}, so nothing attends: leave attend out")
        self.config = config
        widths = [config.embed_dim, *[config.hidden_dim] * config.layers]
        self.layers = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)
        )
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_dim, config.classes)

    def forward(self, source: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        pooled = self.pool(self.embedding(self.words(source.ids)), source.mask)
        x = self.dropout(rearrange(pooled, "batch 1 width -> batch width"))
        for layer in self.layers:
            x = self.dropout(torch.relu(layer(x)))
        return self.output(x)

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> Float[Tensor, "batch k_len"]:
        """The weight of each word in the pooled vector."""
        weights = self.pool.weights(self.embedding(source.ids), source.mask)
        return rearrange(weights, "batch 1 k_len -> batch k_len")
