"""A convolutional text classifier whose summary of the features is one argument."""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad, relu

from regard.layers import LSTM, Attend, AttentionPool, Dropout, MeanPool
from regard.masks import Padding
from regard.models.cnn.config import CNNConfig

UNKNOWN = 1
"""The number of `<unk>`."""

Tokens = Int[Tensor, "batch k_len"]
Lengths = Int[Tensor, " batch"] | None


class CNN(nn.Module):
    """Read a text with filters of several widths, sum up their features, answer with one class.

        c_j = relu(W_h [x_{j - (h-1)//2} ; ... ; x_{j + h//2}] + b_h)     for each width h
        p(class) = softmax(W summary(c) + b)

        max         max_j c_j, for each filter
        mean        sum_j c_j / n
        attention   sum_j w_j c_j                      w = softmax_j(u . tanh(V c_j + d))
        guided      sum_j w_j c_j                      w = softmax_j(s U c_j), s = LSTM(x)

    Filters are centred on every token, with zeros beyond both ends, so that a text may be shorter
    than they are and each feature has a token of its own; the paper places only those that lie
    inside the text. It leaves out the paper's limit on the norm of W.

    Args:
        config: the sizes and the summary.
        attend: score, normalizer and so on of an attention; softmax of the scores above if None.

    >>> config = CNNConfig(vocab=9, classes=3, embed_dim=6, filters=4)
    >>> source = torch.tensor([[4, 8, 5], [6, 0, 0]])
    >>> CNN(config)(source, lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 3])

    References:
        Kim. Convolutional Neural Networks for Sentence Classification. 2014.
        https://aclanthology.org/D14-1181
        Er, Zhang, Wang & Pratama. Attention pooling-based convolutional neural network for sentence
        modelling. 2016. https://doi.org/10.1016/j.ins.2016.08.084
    """

    def __init__(self, config: CNNConfig, attend: Attend | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.filters = nn.ParameterList(
            torch.empty(config.filters, config.embed_dim, width) for width in config.widths
        )
        for filters in self.filters:
            nn.init.xavier_uniform_(filters)
        width = len(config.widths) * config.filters
        self.bias = nn.Parameter(torch.zeros(width))
        self.guide: LSTM | None = None
        self.pool: Any = None
        if config.summary == "mean":
            self.pool = MeanPool()
        elif config.summary == "attention":
            key = nn.Sequential(nn.Linear(width, config.align_dim), nn.Tanh())
            self.pool = AttentionPool(width, attend, key=key)
        elif config.summary == "guided":
            self.guide = LSTM(config.embed_dim, config.hidden_dim)
            self.pool = AttentionPool(width, attend, query_dim=config.hidden_dim)
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(width, config.classes)

    def forward(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch classes"]:
        """Logits of the classes; `lengths` are None when no text is padded."""
        embedded, mask = self._embed(source, lengths)
        found = self.features(embedded, mask)
        if self.pool is None:
            # No feature is negative, so one more position of zeros is no maximum; a text may be "".
            summary = pad(found, (0, 0, 0, 1)).amax(1)
        else:
            pooled = self.pool(found, mask, *self._query(embedded, mask))
            summary = rearrange(pooled, "batch 1 width -> batch width")
        return self.output(self.dropout(summary))

    @torch.no_grad()
    def look(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch k_len"]:
        """How much each token counted: the weight of the filters that are centred on it.

        For the `max` it is the share of the filters that found their maximum in a window with the
        token, each shared out among the window's tokens. Filters that found nothing do not count;
        if none did find anything, all tokens count alike.
        """
        embedded, mask = self._embed(source, lengths)
        found = self.features(embedded, mask)
        if self.pool is None:
            return self._votes(found, _real(found, mask))
        weights = self.pool.weights(found, mask, *self._query(embedded, mask))
        return rearrange(weights, "batch 1 k_len -> batch k_len")

    def features(
        self, embedded: Float[Tensor, "batch k_len embed_dim"], mask: Padding
    ) -> Float[Tensor, "batch k_len width"]:
        """What all filters find around each token, zeros around padding."""
        if embedded.shape[1] == 0:
            return embedded.new_zeros(len(embedded), 0, len(self.bias))
        channels = rearrange(embedded, "batch k_len width -> batch width k_len")
        found = [
            conv1d(pad(channels, ((width - 1) // 2, width // 2)), filters)
            for width, filters in zip(self.config.widths, self.filters, strict=True)
        ]
        together = rearrange(torch.cat(found, dim=1), "batch width k_len -> batch k_len width")
        return relu(together + self.bias) * _real(embedded, mask).unsqueeze(-1)

    def _embed(self, source: Tensor, lengths: Tensor | None) -> tuple[Tensor, Padding]:
        if self.training and self.config.word_dropout > 0:
            lost = torch.rand(source.shape, device=source.device) < self.config.word_dropout
            source = source.masked_fill(lost, UNKNOWN)
        if lengths is None:
            lengths = torch.full((len(source),), source.shape[1], device=source.device)
        mask, embedded = Padding(lengths), self.embedding(source)
        return embedded.masked_fill(~_real(embedded, mask).unsqueeze(-1), 0.0), mask

    def _query(self, embedded: Tensor, mask: Padding) -> tuple[Tensor, ...]:
        """The sentence vector that guides the attention, where there is one."""
        if self.guide is None:
            return ()
        steps = rearrange(embedded, "batch k_len width -> k_len batch width")
        return (self.guide(steps, lengths=mask.lengths)[1].hidden[-1],)

    def _votes(
        self, found: Float[Tensor, "batch k_len width"], real: Bool[Tensor, "batch k_len"]
    ) -> Float[Tensor, "batch k_len"]:
        peak, place = pad(found, (0, 0, 0, 1)).max(1)
        active = peak > 0
        token = torch.arange(found.shape[1], device=found.device)
        votes = torch.zeros_like(found[:, :, 0])
        sides = zip(*(x.split(self.config.filters, 1) for x in (place, active)), strict=True)
        for width, (centre, counts) in zip(self.config.widths, sides, strict=True):
            away = token - rearrange(centre, "batch filters -> batch filters 1")
            near = (away >= -((width - 1) // 2)) & (away <= width // 2) & real.unsqueeze(1)
            share = near.to(votes.dtype) / near.sum(-1, keepdim=True).clamp(min=1)
            votes += (share * counts.unsqueeze(-1)).sum(1)
        votes = torch.where(active.any(1, keepdim=True), votes, real.to(votes.dtype))
        return votes / votes.sum(1, keepdim=True).clamp(min=1)


def _real(x: Float[Tensor, "batch k_len width"], mask: Padding) -> Bool[Tensor, "batch k_len"]:
    token = torch.arange(x.shape[1], device=x.device)
    assert mask.lengths is not None
    return token < rearrange(mask.lengths, "batch -> batch 1")
