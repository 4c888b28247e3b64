"""The hierarchical attention network, for documents of many sentences."""

from copy import deepcopy

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import (
    GRU,
    Attend,
    AttentionPool,
    Dropout,
    Hierarchical,
    Level,
    MeanPool,
    Sentences,
    sentences,
)
from regard.models.han.config import HANConfig

UNKNOWN = 1
"""The number of `<unk>`."""

Tokens = Int[Tensor, "batch k_len"]
Lengths = Int[Tensor, " batch"] | None


class BothWays(nn.Module):
    """A GRU forwards and one backwards over sequences, and dropout; padding does not exist.

    The reset gate acts before the product with the state, as in Cho et al. (2014).
    """

    def __init__(self, input_dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.cells, self.width = GRU(input_dim, width, cells=2), width
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch k_len input_dim"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch k_len both_widths"]:
        forwards = rearrange(x, "batch k_len width -> k_len batch width")
        place = torch.arange(x.shape[1], device=x.device)
        real = rearrange(place, "k_len -> k_len 1 1") < rearrange(lengths, "batch -> batch 1")
        gates, candidates = self.cells.project(torch.stack([forwards, forwards.flip(0)]))
        start = gates.new_zeros(2, x.shape[0], self.width)
        keep = torch.stack([real, real.flip(0)]).to(x.dtype)
        forwards, backwards = self.cells(gates, candidates, start, keep)
        both = torch.cat([forwards, backwards.flip(0)], dim=-1)
        return self.dropout(rearrange(both, "k_len batch width -> batch k_len width"))


class HAN(nn.Module):
    """Read the words of each sentence, then the sentences, and answer with one of several classes.

        h_it = [->GRU ; <-GRU](E x_i1, ..., E x_iT)                  words of sentence i
        u_it = tanh(W_w h_it + b_w),    s_i = sum_t softmax_t(u_it . u_w) h_it
        h_i  = [->GRU ; <-GRU](s_1, ..., s_L),    v = the same sum over sentences, with u_s
        p(class) = softmax(W_c v + b_c)

    A document is a row of tokens in which `</s>` (3) ends each sentence; a sentence without a word
    does not exist. `Hierarchical` pads sentences of similar length together.

    Args:
        config: the sizes.
        attend: score, normalizer and so on of both attentions, copied for each: between a learned
            context and what `tanh` makes of a state; the dot product and softmax if None.

    >>> config = HANConfig(vocab=9, classes=3, embed_dim=6, hidden_dim=5)
    >>> source = torch.tensor([[4, 8, 3, 5, 3], [6, 3, 0, 0, 0]])
    >>> HAN(config)(source, lengths=torch.tensor([5, 2])).shape
    torch.Size([2, 3])

    References:
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    def __init__(self, config: HANConfig, attend: Attend | None = None) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.dropout = Dropout(config.dropout)
        self.document = Hierarchical(
            self._level(kind, input_dim, attend)
            for kind, input_dim in (
                (config.words, config.embed_dim),
                (config.sentences, 2 * config.hidden_dim),
            )
        )
        self.output = nn.Linear(2 * config.hidden_dim, config.classes)

    def forward(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch classes"]:
        """Logits of the classes; `lengths` are None when no document is padded."""
        cut = sentences(source, lengths)
        return self.output(self.document(self._embedded(source, cut), (cut.lengths, cut.documents)))

    @torch.no_grad()
    def look(self, source: Tokens, lengths: Lengths = None) -> Float[Tensor, "batch k_len"]:
        """How much each word counted: its weight in the sentence times the sentence's weight."""
        of_words, of_sentences = self._weights(source, sentences(source, lengths))
        return of_words * of_sentences

    @torch.no_grad()
    def weights(
        self, source: Tokens, lengths: Lengths = None
    ) -> tuple[Float[Tensor, "batch k_len"], Float[Tensor, "batch k_len"]]:
        """For each word its weight in its sentence, and the weight of that sentence."""
        return self._weights(source, sentences(source, lengths))

    def _weights(self, source: Tensor, cut: Sentences) -> tuple[Tensor, Tensor]:
        sizes = (cut.lengths, cut.documents)
        of_words, of_sentences = self.document.weights(self._embedded(source, cut), sizes)
        repeated = of_sentences.repeat_interleave(cut.lengths, dim=0)
        return cut.spread(of_words.flatten()), cut.spread(repeated.flatten())

    def _embedded(self, source: Tensor, cut: Sentences) -> Tensor:
        """The words, one behind the other."""
        words = cut.of(source)
        if self.training and self.config.word_dropout > 0:
            lost = torch.rand(words.shape, device=words.device) < self.config.word_dropout
            words = words.masked_fill(lost, UNKNOWN)
        return self.dropout(self.embedding(words))

    def _level(self, kind: str, input_dim: int, attend: Attend | None) -> Level:
        width = 2 * self.config.hidden_dim
        encoder = BothWays(input_dim, self.config.hidden_dim, self.config.dropout)
        if kind == "mean":
            return Level(encoder, MeanPool())
        key = nn.Sequential(nn.Linear(width, self.config.align_dim), nn.Tanh())
        return Level(encoder, AttentionPool(width, deepcopy(attend), key=key))
