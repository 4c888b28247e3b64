"""BERT (Devlin et al., 2019): a Transformer encoder with segment embeddings."""

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
from regard.models.attention import Attends, maker, named
from regard.models.bert.config import BertConfig, BertSizes
from regard.models.first_weights import start_normal
from regard.models.segment_encoder import SegmentEncoder
from regard.sequences import Packed, Sequences


class Bert(SegmentEncoder):
    """BERT's bidirectional encoder.

        x = norm(E[token] + P[position] + S[segment])
        x <- norm(x + attend(x, x));  x <- norm(x + W_2 gelu(W_1 x))

    Batches may be padded or packed; packed ones spend nothing on padding.

    Args:
        attend: replaces the attention parts named in the configuration; one `Attend` is shared by
            all layers, a function makes one for each.

    >>> config = BertConfig(vocab=9, embed_dim=8, num_heads=2, ff_dim=16, layers=2)
    >>> model, texts = Bert(config).eval(), Sequences.of([[4, 8, 5], [6]])
    >>> model(texts).shape, model(Packed.of(texts)).shape, model.summary(model(texts), texts).shape
    (torch.Size([2, 3, 8]), torch.Size([1, 4, 8]), torch.Size([2, 8]))

    References:
        Devlin, Chang, Lee & Toutanova. BERT: Pre-training of Deep Bidirectional Transformers for
        Language Understanding. 2019. https://arxiv.org/abs/1810.04805
    """

    config_type: ClassVar[type[BertConfig]] = BertConfig

    def __init__(self, config: BertSizes, attend: Attends = None, summarizes: bool = True) -> None:
        super().__init__()
        make = maker(config.attention, config.dims, attend)
        self.embedding = SegmentEmbedding(
            config.vocab,
            config.embed_dim,
            max_length=config.max_length,
            segments=config.segments,
            norm_eps=config.norm_eps,
            dropout=config.dropout,
        )
        blocks = [_block(config, make()) for _ in range(config.layers)]
        self.encoder = Stack(blocks)
        pools = summarizes and getattr(config, "pooler", True)
        self.pooler = nn.Linear(config.embed_dim, config.embed_dim) if pools else None
        attention = named(config.attention, config.dims, blocks[0].attention.heads.attend)
        self.config: Any = replace(config, attention=attention)
        start_normal(self, config.init_std)

    def embedded(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        """The embeddings of tokens, positions and segments."""
        return self.embedding(source)


def _block(config: BertSizes, attend: Any) -> Any:
    activation = ACTIVATIONS[config.activation]
    return EncoderBlock(
        SelfAttention(config.embed_dim, config.num_heads, attend),
        FeedForward(config.embed_dim, config.ff_dim, activation),
        lambda: PostNorm(nn.LayerNorm(config.embed_dim, config.norm_eps), config.dropout),
    )
