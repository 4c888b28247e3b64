"""The configuration of a network that captions images."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from regard.config import Between, Config, Count, LargeCount, NonNegative, Share
from regard.models.resnet.config import Cifar, ImageNet
from regard.models.resnet.places import place_of
from regard.models.vision_blocks import BlockName
from regard.parts import NormalizerName, ScoreName


@dataclass(frozen=True, kw_only=True)
class SoftAttention(Config):
    """Before each word the decoder sees all annotations, averaged with attention weights.

    Args:
        score: how relevant a place is to the next word.
        normalizer: turns scores into weights.
        attention_dim: width that annotations are projected to, once per image, and of the hidden
            layer that scores them.
        penalty: weight of the doubly stochastic penalty on places whose weights, summed over all
            words, differ from 1: the paper's lambda.
    """

    tag = "soft"

    score: ScoreName = "additive"
    normalizer: NormalizerName = "softmax"
    attention_dim: Count = 128
    penalty: NonNegative = 1.0


@dataclass(frozen=True, kw_only=True)
class HardAttention(Config):
    """Before each word the decoder sees one annotation: the most likely, in training a sample.

    Args:
        score, attention_dim: as in `SoftAttention`.
        expectation: fraction of the sentences that are trained with the weighted mean instead; the
            paper's is 0.5. See `soft_epochs` of the task `caption` for a start with all of them.
    """

    tag = "hard"

    score: ScoreName = "additive"
    attention_dim: Count = 128
    expectation: Annotated[float, Between(least=0.0, most=1.0)] = 0.5


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig(Config):
    """The configuration of a captioner: image encoder, attention, and decoder.

    Args:
        channels: channels of an image.
        target_vocab: vocabulary size.
        shape: stages of the residual network whose last feature maps are the annotations.
        block: a block of `regard.vision` in that network (see `ResNetConfig`).
        embed_dim: width of the embeddings, and of the deep output.
        hidden_dim: width of the decoder's state.
        attention: `soft` or `hard`.
        dropout: of embeddings, states and the deep output while training.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> CaptionerConfig(target_vocab=9, attention=HardAttention(attention_dim=8)).attention.score
    'additive'
    """

    tag = "captioner"
    from_data: ClassVar[tuple[str, ...]] = ("channels", "target_vocab")

    channels: Count = 3
    target_vocab: LargeCount
    shape: Cifar | ImageNet = Cifar()
    block: BlockName | None = None
    embed_dim: Count = 128
    hidden_dim: Count = 256
    attention: SoftAttention | HardAttention = SoftAttention()
    dropout: Share = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block is not None:
            place_of(self.block)
