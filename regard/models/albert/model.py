"""ALBERT (Lan et al., 2020): an encoder with factorized embeddings and shared layers."""

from dataclasses import replace
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers import (
    ACTIVATIONS,
    EncoderBlock,
    FeedForward,
    PostNorm,
    SegmentEmbedding,
    SelfAttention,
    Stack,
)
from regard.models.albert.config import AlbertConfig, AlbertSizes
from regard.models.attention import Attends, maker, named
from regard.models.first_weights import start_normal
from regard.models.segment_encoder import SegmentEncoder
from regard.sequences import Packed, Sequences


class Albert(SegmentEncoder):
    """A bidirectional encoder that applies one layer repeatedly.

        x = W norm(E[token] + P[position] + S[segment]) + b
        x <- norm(x + attend(x, x));  x <- norm(x + W_2 gelu(W_1 x)),  the same weights each time

    Differences from `Bert`: embeddings are `token_dim` wide, the layers of a group share weights,
    and the GELU is the tanh approximation. Batches may be padded or packed.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each that has weights.

    >>> config = AlbertConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=6)
    >>> model, texts = Albert(config).eval(), Sequences.of([[4, 8, 5], [6]])
    >>> model(texts).shape, model(Packed.of(texts)).shape, model.weights(texts).shape
    (torch.Size([2, 3, 8]), torch.Size([1, 4, 8]), torch.Size([6, 2, 2, 3, 3]))

    References:
        Lan, Chen, Goodman, Gimpel, Sharma & Soricut. ALBERT: A Lite BERT for Self-supervised
        Learning of Language Representations. 2020. https://arxiv.org/abs/1909.11942
    """

    config_type: ClassVar[type[AlbertConfig]] = AlbertConfig

    def __init__(
        self, config: AlbertSizes, attend: Attends = None, summarizes: bool = True
    ) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = SegmentEmbedding(
            config.vocab,
            config.token_dim,
            max_length=config.max_length,
            segments=config.segments,
            norm_eps=config.norm_eps,
            dropout=config.dropout,
        )
        self.widening = nn.Linear(config.token_dim, config.embed_dim)
        groups = [
            [_block(config, make()) for _ in range(config.blocks)] for _ in range(config.groups)
        ]
        order = [groups[config.group(layer)] for layer in range(config.layers)]
        self.encoder = Stack(block for group in order for block in group)
        pools = summarizes and getattr(config, "pooler", True)
        self.pooler = nn.Linear(config.embed_dim, config.embed_dim) if pools else None
        attention = named(config.attention, config.dims, groups[0][0].attention.heads.attend)
        self.config: Any = replace(config, attention=attention)
        start_normal(self, config.init_std)

    def embedded(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The embeddings of tokens, positions and segments."""
        return self.widening(self.embedding(source))


def _block(config: AlbertSizes, attend: Any) -> Any:
    activation = ACTIVATIONS[config.activation]
    return EncoderBlock(
        SelfAttention(config.embed_dim, config.num_heads, attend),
        FeedForward(config.embed_dim, config.ff_dim, activation),
        lambda: PostNorm(nn.LayerNorm(config.embed_dim, config.norm_eps), config.dropout),
    )
