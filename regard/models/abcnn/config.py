"""The sizes and choices of an ABCNN."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from regard.models.configuration import MOST_TOKENS, Configuration


@dataclass(frozen=True, kw_only=True)
class ABCNNConfig(Configuration):
    """What defines an ABCNN: sizes, where it attends, and what the last layer reads.

    The paper's have embeddings of 300, 50 filters of width 4 (3 for textual entailment), and one or
    two layers.

    Args:
        vocab: number of different tokens, the same for both sentences.
        classes: number of different answers.
        embed_dim: width of the embeddings.
        hidden_dim: number of filters of each layer.
        layers: number of blocks of convolution and pooling.
        width: how many neighbouring columns a filter sees, and a window of the pooling.
        max_length: the longest sentence. Only attention at the input has weights for each place.
        attention: at the `input` (ABCNN-1), in the `pooling` (ABCNN-2), `both` (ABCNN-3), or `none`
            (BCNN).
        similarity: what the logistic layer reads of each layer's two sentence vectors: their
            `cosine`, as the authors' code, the inverse `distance` 1 / (1 + ‖x - y‖), or `both`.
        variant: `official` adds 1e-10 under the root of every distance between words and 1e-20
            between sentences, as the authors' code does; `paper` adds nothing.
        dropout: of the embeddings; the paper has none.

    Raises `TypeError` for a value of another kind and `ValueError` for one out of bounds.

    >>> ABCNNConfig(vocab=30_000, classes=2, embed_dim=300, hidden_dim=50).attention
    'both'
    """

    model_type: ClassVar[str] = "abcnn"
    limits: ClassVar[dict[str, int]] = {"vocab": MOST_TOKENS}

    vocab: int
    classes: int
    embed_dim: int
    hidden_dim: int
    layers: int = 2
    width: int = 4
    max_length: int = 64
    attention: Literal["none", "input", "pooling", "both"] = "both"
    similarity: Literal["cosine", "distance", "both"] = "cosine"
    variant: Literal["paper", "official"] = "paper"
    dropout: float = 0.0
