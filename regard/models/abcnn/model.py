"""ABCNN: two sentences through one convolutional network, and how alike they are in every layer."""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._typing import Score
from regard.layers import Dropout
from regard.models.abcnn.block import Block
from regard.models.abcnn.config import ABCNNConfig
from regard.models.abcnn.sentences import Sentences, match
from regard.normalizers import sum as share
from regard.scores import Cosine, InverseDistance

SHARP = 10.0
"""What similarities are multiplied by for the last layer.

They differ little, so its weights have to become large, which takes a tenth of the steps this way.
"""


class ABCNN(nn.Module):
    """Judge a pair of sentences that go through the same filters, each knowing of the other.

        match(x, y) = 1 / (1 + ‖x - y‖)
        p(class) = softmax(W [sim(mean of the embeddings), sim(all-ap_1), ..., sim(all-ap_layers)])

    Attention comes before the convolution (`input`: ABCNN-1), in the pooling behind it (`pooling`:
    ABCNN-2), in both places (ABCNN-3) or nowhere (BCNN); see `Block`. It differs from the paper in
    that padding takes no part: there all sentences are filled up to one length and the filling is
    convolved, matched and averaged like words (the authors' code leaves it out, as here).

    >>> config = ABCNNConfig(vocab=9, classes=2, embed_dim=6, hidden_dim=5)
    >>> left, right = torch.tensor([[4, 8, 5], [6, 0, 0]]), torch.tensor([[5, 4], [7, 8]])
    >>> ABCNN(config)(left, right, left_lengths=torch.tensor([3, 1])).shape
    torch.Size([2, 2])

    References:
        Yin, Schütze, Xiang & Zhou. ABCNN: Attention-Based Convolutional Neural Network for
        Modeling Sentence Pairs. 2016. https://arxiv.org/abs/1512.05193
    """

    def __init__(self, config: ABCNNConfig) -> None:
        super().__init__()
        self.config = config
        official = config.variant == "official"
        self.score = InverseDistance(1e-10 if official else 0.0)
        alike: dict[str, Score] = {
            "cosine": Cosine(),
            "distance": InverseDistance(1e-20 if official else 0.0),
        }
        both = config.similarity == "both"
        self.alike = list(alike.values()) if both else [alike[config.similarity]]
        self.embedding = nn.Embedding(config.vocab, config.embed_dim)
        nn.init.normal_(self.embedding.weight, std=config.embed_dim**-0.5)
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(
                config.hidden_dim if layer else config.embed_dim,
                config.hidden_dim,
                config.width,
                self.score,
                places=config.max_length if config.attention in ("input", "both") else None,
                weighted=config.attention in ("pooling", "both"),
            )
            for layer in range(config.layers)
        )
        self.output = nn.Linear((config.layers + 1) * len(self.alike), config.classes)

    def forward(
        self,
        left: Int[Tensor, "batch left_len"],
        right: Int[Tensor, "batch right_len"],
        left_lengths: Int[Tensor, " batch"] | None = None,
        right_lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Logits of the classes; lengths are None where no sentence of that side is padded."""
        one, other = self._words(left, left_lengths), self._words(right, right_lengths)
        features = [self._similarity(one.mean(), other.mean())]
        for block in self.blocks:
            one, other, mine, theirs = block(one, other)
            features.append(self._similarity(mine, theirs))
        return self.output(torch.cat(features, dim=-1))

    def look(
        self,
        left: Int[Tensor, "batch left_len"],
        right: Int[Tensor, "batch right_len"],
        left_lengths: Int[Tensor, " batch"] | None = None,
        right_lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch left_len right_len"]:
        """Which words of the left match a word of the right: shares that sum to 1 over the left.

        They are those of the first block's attention matrix: at the input between words; in the
        pooling between windows, of which those count in which both words stand at the same place.
        Without attention they are the match of the embeddings, which nothing in the network asks.
        What belongs together matches best only if training brings it together: a last layer that
        takes likeness against a class can as well learn to set it far apart.
        """
        one, other = self._words(left, left_lengths), self._words(right, right_lengths)
        if self.config.attention != "pooling":
            matrix = match(one, other, self.score)
        else:
            first: Any = self.blocks[0]
            convolved, beside = first.convolve(one, other)
            windows = match(convolved, beside, self.score)
            rows, columns = left.shape[1], right.shape[1]
            shifted = [windows[:, k : k + rows, k : k + columns] for k in range(self.config.width)]
            real = one.real.unsqueeze(2) & other.real.unsqueeze(1)
            matrix = torch.stack(shifted).mean(0).masked_fill(~real, 0.0)
        return share(matrix.mT).mT

    def _words(self, tokens: Tensor, lengths: Tensor | None) -> Sentences:
        return Sentences.of(self.dropout(self.embedding(tokens)), lengths)

    def _similarity(
        self, left: Float[Tensor, "batch width"], right: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch similarities"]:
        query, key = (rearrange(x, "batch width -> batch 1 1 width") for x in (left, right))
        found = torch.cat([score(query, key) for score in self.alike], dim=1) * SHARP
        return rearrange(found, "batch similarities 1 1 -> batch similarities")
