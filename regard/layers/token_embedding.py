"""Token embeddings with positions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard._numbers import count
from regard._pairwise import Count
from regard.layers.dropout import Dropout
from regard.positions import Learned, Sinusoidal
from regard.sequences import Packed, Sequences


class TokenEmbedding(nn.Module):
    """Token embeddings plus position embeddings, then dropout.

        output = dropout(scale E[token] + P[position])

    E is initialized from N(0, 1 / embed_dim).

    Args:
        vocab: vocabulary size.
        positions: P; None where attention itself handles the positions.
        scale: the paper's is sqrt(embed_dim); BERT and GPT have none.

    Raises `ValueError` when a size is below 1, or there are fewer learned positions than tokens.

    Example:
        >>> embedding = TokenEmbedding(9, 4, positions=Sinusoidal(), scale=2.0)
        >>> whole = embedding(torch.tensor([[4, 8, 5]]))
        >>> torch.equal(embedding(torch.tensor([[5]]), offset=2), whole[:, 2:])
        True

    References:
        Vaswani et al. Attention Is All You Need. 2017. https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        vocab: Count,
        embed_dim: Count,
        *,
        positions: Sinusoidal | Learned | None = None,
        scale: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        owner = "TokenEmbedding"
        vocab = count(owner, "vocab", vocab, least=1, hint="it is the number of tokens")
        embed_dim = count(owner, "embed_dim", embed_dim, least=1, hint="it is a width")
        if isinstance(positions, Learned) and positions.weight.shape[1] != embed_dim:
            raise ValueError(
                f"the learned positions have width {positions.weight.shape[1]} and the tokens "
                f"{embed_dim}: give Learned the same embed_dim"
            )
        self.tokens = nn.Embedding(vocab, embed_dim)
        nn.init.normal_(self.tokens.weight, std=embed_dim**-0.5)
        self.learned = positions if isinstance(positions, Learned) else None
        self.sinusoidal = positions if isinstance(positions, Sinusoidal) else None
        self.scale, self.dropout = scale, Dropout(dropout)

    def forward(
        self,
        tokens: Int[Tensor, "batch q_len"],
        offset: int = 0,
        positions: Int[Tensor, "#batch q_len"] | None = None,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """Embed tokens, the first of which is at position `offset`, or each at its own.

        Args:
            positions: all below `offset + q_len`; None if they are consecutive from `offset`.
        """
        x = self.tokens(tokens)
        if positions is not None:
            return self._sum(x, self._at(x, positions, offset))
        if self.sinusoidal is not None:
            return self._sum(x, self.sinusoidal(x, offset=offset))
        if self.learned is not None:
            return self._sum(x, self.learned(tokens.shape[1], offset=offset))
        return self._sum(x, None)

    def read(self, source: Sequences | Packed) -> Float[Tensor, "batch q_len embed_dim"]:
        """Embed sequences, each of which starts at position 0."""
        if isinstance(source, Sequences):
            return self(source.ids)
        return self(source.ids, positions=source.positions)

    def _at(self, x: Tensor, positions: Tensor, offset: int) -> Tensor | None:
        if self.learned is not None:
            return self.learned.at(positions)
        if self.sinusoidal is None:
            return None
        table = self.sinusoidal(x.new_empty(0, offset + x.shape[1], x.shape[2]))
        return table[positions]

    def _sum(self, x: Tensor, positions: Tensor | None) -> Tensor:
        if positions is not None:
            x = torch.add(positions, x, alpha=self.scale)
        elif self.scale != 1.0:
            x = x * self.scale
        return self.dropout(x)

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}"
