"""ABCNN: two sentences through one convolutional network, and their similarity in every layer."""

from typing import Any, ClassVar

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._typing import Score
from regard.layers import Attend, Dropout
from regard.models.abcnn.block import ABCNNBlock
from regard.models.abcnn.columns import Columns, match
from regard.models.abcnn.config import ABCNNConfig
from regard.normalizers import divide_by_sum, unnormalized
from regard.scores import Cosine, InverseDistance
from regard.sequences import Sequences

SHARP = 10.0
"""Factor on similarities for the last layer.

They differ little, so its weights have to become large, which takes a tenth of the steps this way.
"""


class ABCNN(nn.Module):
    """Classify a pair of sentences that pass the same filters and attend to each other.

        match(x, y) = 1 / (1 + ‖x - y‖)
        p(class) = softmax(W [sim(mean of the embeddings), sim(all-ap_1), ..., sim(all-ap_layers)])

    Attention is before the convolution (`input`: ABCNN-1), in the pooling after it (`pooling`:
    ABCNN-2), in both places (ABCNN-3) or nowhere (BCNN); see `ABCNNBlock`. Unlike in the paper,
    padding has no effect: there, all sentences are padded to one length and the padding is
    convolved, matched and averaged like words (the authors' code leaves it out, as here).

    Raises `ValueError` for a sentence longer than `max_length`, if attention at the input has
    weights per position.

    >>> config = ABCNNConfig(vocab=9, classes=2, embed_dim=6, hidden_dim=5)
    >>> left, right = Sequences.of([[4, 8, 5], [6]]), Sequences.of([[5, 4], [7, 8]])
    >>> ABCNN(config)(left, right).shape
    torch.Size([2, 2])

    References:
        Yin, Schütze, Xiang & Zhou. ABCNN: Attention-Based Convolutional Neural Network for
        Modeling Sentence Pairs. 2016. https://arxiv.org/abs/1512.05193
    """

    config_type: ClassVar[type[ABCNNConfig]] = ABCNNConfig

    def __init__(self, config: ABCNNConfig) -> None:
        super().__init__()
        self.config = config
        alike: dict[str, Score] = {
            "cosine": Cosine(),
            "distance": InverseDistance(1e-20 if config.variant == "official" else 0.0),
        }
        both = config.similarity == "both"
        self.alike = list(alike.values()) if both else [alike[config.similarity]]
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=config.embed_dim**-0.5)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            ABCNNBlock(
                config.hidden_dim if layer else config.embed_dim,
                config.hidden_dim,
                config.width,
                _matching(config),
                places=config.max_length if config.attention in ("input", "both") else None,
                weighted=config.attention in ("pooling", "both"),
                shared=config.places == "shared",
            )
            for layer in range(config.layers)
        )
        self.output = nn.Linear((config.layers + 1) * len(self.alike), config.classes)

    def forward(self, left: Sequences, right: Sequences) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        one, other = self.embed(left), self.embed(right)
        features = [self._similarity(one.mean(), other.mean())]
        for block in self.blocks:
            one, other, mine, theirs = block(one, other)
            features.append(self._similarity(mine, theirs))
        return self.output(torch.cat(features, dim=-1))

    @torch.no_grad()
    def attention_weights(
        self, left: Sequences, right: Sequences
    ) -> Float[Tensor, "batch right_len left_len"]:
        """Which words of the left match each word of the right: weights that sum to 1.

        They are from the first block's attention matrix: at the input between words; in the
        pooling between windows that have both words at the same offset. Without attention they are
        the match of the embeddings, which the network itself does not use. Related words match
        best only if training makes them: a last layer that counts similarity against a class can
        equally learn to push them apart.
        """
        one, other = self.embed(left), self.embed(right)
        first: Any = self.blocks[0]
        if self.config.attention != "pooling":
            matrix = match(one, other, first.attend)
        else:
            convolved, beside = first.convolve(one, other)
            windows = match(convolved, beside, first.attend)
            rows, columns = left.ids.shape[1], right.ids.shape[1]
            shifted = [windows[:, k : k + rows, k : k + columns] for k in range(self.config.width)]
            real = one.real.unsqueeze(2) & other.real.unsqueeze(1)
            matrix = torch.stack(shifted).mean(0).masked_fill(~real, 0.0)
        return divide_by_sum(matrix.mT)

    def embed(self, source: Sequences) -> Columns:
        """The words of one side."""
        return Columns.of(self.dropout(self.embedding(source.ids)), source.lengths)

    def _similarity(
        self, left: Float[Tensor, "batch width"], right: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch similarities"]:
        query, key = (rearrange(x, "batch width -> batch 1 1 width") for x in (left, right))
        found = torch.cat([score(query, key) for score in self.alike], dim=1) * SHARP
        return rearrange(found, "batch similarities 1 1 -> batch similarities")


def _matching(config: ABCNNConfig) -> Attend:
    """What compares the columns of both sentences: the scores themselves are its weights."""
    official = config.variant == "official"
    return Attend(InverseDistance(1e-10 if official else 0.0), normalizer=unnormalized)
