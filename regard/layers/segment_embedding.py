"""Token, position and segment embeddings, normalized: BERT's first layer."""

from jaxtyping import Float
from torch import Tensor, nn

from regard.layers.dropout import Dropout
from regard.layers.known_tokens import require_known
from regard.positions import Learned
from regard.sequences import Packed, Sequences


class SegmentEmbedding(nn.Module):
    """The sum of three embeddings, normalized, then dropout.

        output = dropout(norm(E[token] + P[position] + S[segment]))

    If a batch has no segments, every token is in the first one.

    Args:
        max_length: number of positions.
        segments: number of kinds of text, such as a question and a passage.

    Raises `ValueError` for a token outside the vocabulary, and a sequence beyond the positions.

    Example:
        >>> SegmentEmbedding(9, 4, max_length=5)(Sequences.of([[4, 8, 5], [6]])).shape
        torch.Size([2, 3, 4])

    References:
        Devlin, Chang, Lee & Toutanova. BERT: Pre-training of Deep Bidirectional Transformers for
        Language Understanding. 2019. https://arxiv.org/abs/1810.04805
    """

    def __init__(
        self,
        vocab: int,
        embed_dim: int,
        *,
        max_length: int,
        segments: int = 2,
        norm_eps: float = 1e-12,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, embed_dim)
        self.positions = Learned(max_length, embed_dim)
        self.segments = nn.Embedding(segments, embed_dim)
        self.norm, self.dropout = nn.LayerNorm(embed_dim, norm_eps), Dropout(dropout)

    def forward(self, source: Sequences | Packed) -> Float[Tensor, "batch len embed_dim"]:
        require_known(source.ids, self.tokens.num_embeddings)
        if isinstance(source, Packed):
            positions = self.positions.at(source.positions)
        else:
            positions = self.positions(source.ids.shape[1])
        if source.segments is None:
            segments = self.segments.weight[0]
        else:
            require_known(source.segments, self.segments.num_embeddings, "segments")
            segments = self.segments(source.segments)
        return self.dropout(self.norm(self.tokens(source.ids) + positions + segments))
