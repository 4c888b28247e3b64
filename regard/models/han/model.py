"""The hierarchical attention network, for documents of many sentences."""

from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import (
    AttentionPool,
    Dropout,
    Hierarchical,
    Level,
    MeanPool,
    SentenceSplit,
    split_sentences,
)
from regard.layers.word_dropout import WordDropout
from regard.models.attention import Attends, named
from regard.models.han.config import HANConfig
from regard.models.han.encoder import BothWays
from regard.models.pooling import AttentionPooling, Mean, attention_pool, pool_dims
from regard.sequences import Sequences

PerWord = Float[Tensor, "batch k_len"]


class HAN(nn.Module):
    """Encode the words of each sentence, then the sentences, and predict one of several classes.

        h_it = [->GRU ; <-GRU](E x_i1, ..., E x_iT)                  words of sentence i
        u_it = tanh(W_w h_it + b_w),    s_i = sum_t softmax_t(u_it . u_w) h_it
        h_i  = [->GRU ; <-GRU](s_1, ..., s_L),    v = the same sum over sentences, with u_s
        p(class) = softmax(W_c v + b_c)

    A document is a row of tokens in which `</s>` ends each sentence; empty sentences are ignored.
    `Hierarchical` pads sentences of similar length together.

    Args:
        attend: replaces the attention parts named in the configuration: one for both levels, or a
            function that makes one for each.

    Raises `ValueError` when parts are given but the network has no attention.

    >>> config = HANConfig(vocab=9, classes=3, embed_dim=6, hidden_dim=5)
    >>> HAN(config)(Sequences.of([[4, 8, 3, 5, 3], [6, 3]])).shape
    torch.Size([2, 3])

    References:
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    config_type: ClassVar[type[HANConfig]] = HANConfig

    def __init__(self, config: HANConfig, attend: Attends = None) -> None:
        super().__init__()
        poolings = (config.word_pooling, config.sentence_pooling)
        if attend is not None and all(isinstance(each, Mean) for each in poolings):
            raise ValueError("both poolings are mean, so nothing attends: leave attend out")
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.words = WordDropout(config.word_dropout, config.unknown)
        self.dropout = Dropout(config.dropout)
        words = _level(config, config.word_pooling, config.embed_dim, attend)
        sentences = _level(config, config.sentence_pooling, 2 * config.hidden_dim, attend)
        self.document = Hierarchical([words, sentences])
        self.config = replace(
            config,
            word_pooling=_named(config.word_pooling, words),
            sentence_pooling=_named(config.sentence_pooling, sentences),
        )
        self.output = nn.Linear(2 * config.hidden_dim, config.classes)

    def forward(self, source: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        cut = self._cut(source)
        embedded = self._embedded(source, cut)
        return self.output(
            self.document(embedded, (cut.lengths, cut.documents), source.ids.shape[1])
        )

    @torch.no_grad()
    def attention_weights(self, source: Sequences) -> PerWord:
        """How much each word counted: its weight in the sentence times the sentence's weight."""
        of_words, of_sentences = self.weights_by_level(source)
        return of_words * of_sentences

    @torch.no_grad()
    def weights_by_level(self, source: Sequences) -> tuple[PerWord, PerWord]:
        """For each word, its weight in its sentence, and the weight of that sentence."""
        cut = self._cut(source)
        sizes = (cut.lengths, cut.documents)
        of_words, of_sentences = self.document.weights(self._embedded(source, cut), sizes)
        repeated = of_sentences.repeat_interleave(cut.lengths, dim=0)
        return cut.spread(of_words.flatten()), cut.spread(repeated.flatten())

    def _cut(self, source: Sequences) -> SentenceSplit:
        return split_sentences(source.ids, source.lengths, end=self.config.end)

    def _embedded(self, source: Sequences, cut: SentenceSplit) -> Float[Tensor, "words embed_dim"]:
        """The words, one behind the other."""
        return self.dropout(self.embedding(self.words(cut.of(source.ids))))


def _level(
    config: HANConfig, pooling: Mean | AttentionPooling, input_dim: int, attend: Attends
) -> Level:
    encoder = BothWays(input_dim, config.hidden_dim, config.dropout)
    if isinstance(pooling, Mean):
        return Level(encoder, MeanPool())
    return Level(encoder, attention_pool(pooling, 2 * config.hidden_dim, attend))


def _named(pooling: Mean | AttentionPooling, level: Level) -> Mean | AttentionPooling:
    """The pooling with the parts that its level has."""
    if isinstance(pooling, Mean):
        return pooling
    assert isinstance(level.pool, AttentionPool)
    return named(pooling, pool_dims(pooling), level.pool.attend)
