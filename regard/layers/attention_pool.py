"""Attention pooling: a sequence becomes one vector, or a few, by attending to what matters."""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from regard._numbers import count
from regard.layers.attend import Attend, OptionalMask
from regard.scores import Bilinear, Dot


class AttentionPool(nn.Module):
    """Sum a sequence with the attention weights of learned queries, or of one given query per row.

        output_i = sum_j w_ij x_j      w_i = normalizer_j(score(u_i, key(x_j)))

    With `key = Linear + tanh` and the default score, the dot product, this is the pooling of
    hierarchical attention networks (one query) and of self-attentive sentence embeddings (several,
    see `orthogonality_penalty`). With `query_dim` the query is passed in, such as a decoder state
    or a user vector, and the default score is Luong's *general*, `u W key(x_j)`.

    A row without a permitted position gives zeros.

    Args:
        embed_dim: width of the sequence and of the output.
        attend: score, normalizer and the operator's other parts.
        queries: number of learned queries; 1 where the query is given.
        query_dim: width of the given query; None learns the queries.
        key: computes the keys from `x`, position by position; None uses `x` itself.

    Raises:
        ValueError: a width or number is not positive, `queries` is above 1 with `query_dim`, or a
            call passes a query where it is learned or lacks one where it is not.

    Example:
        >>> from regard.masks import Padding
        >>> pool = AttentionPool(8, key=nn.Sequential(nn.Linear(8, 5), nn.Tanh()))
        >>> pool(torch.randn(2, 6, 8), Padding(torch.tensor([6, 2]))).shape
        torch.Size([2, 1, 8])

    References:
        Lin, Feng, dos Santos, Yu, Xiang, Zhou & Bengio. A Structured Self-Attentive Sentence
        Embedding. 2017. https://arxiv.org/abs/1703.03130
        Yang, Yang, Dyer, He, Smola & Hovy. Hierarchical Attention Networks for Document
        Classification. 2016. https://aclanthology.org/N16-1174
    """

    def __init__(
        self,
        embed_dim: int,
        attend: Attend | None = None,
        *,
        queries: int = 1,
        query_dim: int | None = None,
        key: nn.Module | None = None,
    ) -> None:
        super().__init__()
        embed_dim, queries = _count("embed_dim", embed_dim), _count("queries", queries)
        query_dim = None if query_dim is None else _count("query_dim", query_dim)
        if query_dim is not None and queries > 1:
            raise ValueError(f"{queries} queries are learned ones: leave query_dim {query_dim} out")
        self.embed_dim, self.query_dim = embed_dim, query_dim
        self.key = nn.Identity() if key is None else key
        key_dim = _width(self.key, embed_dim)
        if attend is None:
            attend = Attend(Dot() if query_dim is None else Bilinear(query_dim, key_dim))
        self.attend = attend
        self.query: nn.Parameter | None = None
        if query_dim is None:
            self.query = nn.Parameter(torch.empty(queries, key_dim))
            nn.init.normal_(self.query, std=key_dim**-0.5)

    def forward(
        self,
        x: Float[Tensor, "batch k_len embed_dim"],
        mask: OptionalMask = None,
        query: Float[Tensor, "batch query_dim"] | None = None,
    ) -> Float[Tensor, "batch queries embed_dim"]:
        """The pooled vectors; `mask` as in the operator, for these queries and one head."""
        values = rearrange(x, "batch k_len width -> batch 1 k_len width")
        found = self.attend(*self._pair(x, query), values, mask)
        return rearrange(found, "batch 1 queries width -> batch queries width")

    def weights(
        self,
        x: Float[Tensor, "batch k_len embed_dim"],
        mask: OptionalMask = None,
        query: Float[Tensor, "batch query_dim"] | None = None,
    ) -> Float[Tensor, "batch queries k_len"]:
        """How much each query attends to each position: the exact weights of the same call."""
        found = self.attend.weights(*self._pair(x, query), mask)
        return rearrange(found, "batch 1 queries k_len -> batch queries k_len")

    def _pair(self, x: Tensor, query: Tensor | None) -> tuple[Tensor, Tensor]:
        """Queries and keys as the operator takes them."""
        key = rearrange(self.key(x), "batch k_len width -> batch 1 k_len width")
        if self.query is None:
            if query is None:
                raise ValueError(f"this pool needs a query of width {self.query_dim} for each row")
            return rearrange(query, "batch width -> batch 1 1 width"), key
        if query is not None:
            raise ValueError("this pool learns its queries: give none, or give it a query_dim")
        learned = self.query.to(key.dtype)
        return repeat(learned, "queries width -> batch 1 queries width", batch=x.shape[0]), key


def orthogonality_penalty(weights: Float[Tensor, "batch queries k_len"]) -> Float[Tensor, " batch"]:
    """How much the queries of a row attend to the same positions, `||A A^T - I||_F^2`.

    Added to the loss, it spreads them out. It is 0 where each query attends to one position of its
    own.

    >>> orthogonality_penalty(torch.eye(3).unsqueeze(0))
    tensor([0.])
    >>> orthogonality_penalty(torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]))
    tensor([2.])

    References:
        Lin, Feng, dos Santos, Yu, Xiang, Zhou & Bengio. A Structured Self-Attentive Sentence
        Embedding. 2017. https://arxiv.org/abs/1703.03130
    """
    identity = torch.eye(weights.shape[1], dtype=weights.dtype, device=weights.device)
    return (weights @ weights.mT - identity).square().sum((1, 2))


def _count(name: str, value: int) -> int:
    return count("AttentionPool", name, value, least=1, hint="it is a width or a number of queries")


def _width(key: nn.Module, embed_dim: int) -> int:
    """How wide what the score sees is, found by asking for nothing."""
    some = next(key.parameters(), torch.empty(0))
    return int(key(some.new_empty(1, 0, embed_dim)).shape[-1])
