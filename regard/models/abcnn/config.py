"""The configuration of an ABCNN."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.config import Config, Count, LargeCount, Share


@dataclass(frozen=True, kw_only=True)
class ABCNNConfig(Config):
    """The configuration of an ABCNN: sizes, where it attends, and the input of the last layer.

    The paper's have embeddings of width 300, 50 filters of width 4 (3 for textual entailment), and
    one or two layers.

    Args:
        vocab: number of different tokens, the same for both sentences.
        classes: number of classes.
        max_length: the longest sentence. Only attention at the input has weights per position.
        embed_dim: width of the embeddings.
        hidden_dim: number of filters of each layer.
        layers: number of blocks of convolution and pooling.
        width: width of the filters and of the pooling windows, in columns.
        attention: at the `input` (ABCNN-1), in the `pooling` (ABCNN-2), `both` (ABCNN-3), or `none`
            (BCNN).
        places: for attention at the input, one matrix W `shared` by both sentences, as in the
            authors' experiments, or each its `own`.
        similarity: the logistic layer's feature from each layer's two sentence vectors: their
            `cosine`, as in the authors' code, the inverse `distance` 1 / (1 + ‖x - y‖), or `both`.
        variant: `official` adds 1e-10 under the root of every distance between words and 1e-20
            between sentences, as the authors' code does; `paper` adds nothing.
        dropout: of the embeddings; the paper has none.

    Raises `TypeError` for a value of another type and `ValueError` for one out of bounds.

    >>> ABCNNConfig(vocab=30_000, classes=2, attention="input").spelled()
    'abcnn(vocab=30000, classes=2, attention=input)'
    """

    tag = "abcnn"
    from_data: ClassVar[tuple[str, ...]] = ("vocab", "classes", "max_length")

    vocab: LargeCount
    classes: Count
    max_length: Count = 64
    embed_dim: Count = 32
    hidden_dim: Count = 64
    layers: Count = 1
    width: Count = 4
    attention: Literal["none", "input", "pooling", "both"] = "both"
    places: Literal["shared", "own"] = "shared"
    similarity: Literal["cosine", "distance", "both"] = "both"
    variant: Literal["paper", "official"] = "paper"
    dropout: Share = 0.0
