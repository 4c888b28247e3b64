"""A linear layer on the concatenation of query and key, one output for each key position."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from regard._pairwise import Count
from regard.scores._widths import require_at_most, require_width, width


class ConcatLinear(nn.Module):
    """A linear layer on the concatenation, `score_j = w_j · [q; k_j] + b_j`, one row per position.

    The tutorial form `softmax(Linear([q; k]))` has a single key vector for a fixed number of
    values: expand that vector over the positions and this is it. Nothing here multiplies a query
    with a key, so it is a dot product in disguise, and fused kernels serve it.

    Args:
        query_dim: width of the query.
        key_dim: width of the key.
        num_keys: the fixed number of keys; shorter inputs use the first rows.

    Raises:
        ValueError: the widths do not fit, or there are more keys than rows.

    Example:
        >>> import torch
        >>> score = ConcatLinear(query_dim=4, key_dim=6, num_keys=3)
        >>> score(torch.randn(1, 1, 2, 4), torch.randn(1, 1, 1, 6).expand(1, 1, 3, 6)).shape
        torch.Size([1, 1, 2, 3])

    References:
        Robertson. NLP From Scratch: Translation with a Sequence to Sequence Network and Attention.
        2017. https://docs.pytorch.org/tutorials/intermediate/seq2seq_translation_tutorial.html
    """

    def __init__(self, query_dim: Count, key_dim: Count, num_keys: Count):
        super().__init__()
        self.query_dim = width("ConcatLinear", "query_dim", query_dim)
        self.key_dim = width("ConcatLinear", "key_dim", key_dim)
        self.num_keys = width("ConcatLinear", "num_keys", num_keys)
        self.weight = nn.Parameter(torch.empty(self.num_keys, self.query_dim + self.key_dim))
        self.bias = nn.Parameter(torch.zeros(self.num_keys))
        nn.init.xavier_uniform_(self.weight)

    def forward(
        self,
        query: Float[Tensor, "batch heads q_len query_dim"],
        key: Float[Tensor, "batch heads k_len key_dim"],
    ) -> Float[Tensor, "batch heads q_len k_len"]:
        query_rows, key_term = self.split(key)
        return query @ query_rows.mT + key_term.unsqueeze(-2)

    def split(
        self, key: Float[Tensor, "batch heads k_len key_dim"]
    ) -> tuple[Float[Tensor, "k_len query_dim"], Float[Tensor, "batch heads k_len"]]:
        """The rows that multiply the query, and the term each key adds by itself."""
        weight = self.weight[: key.shape[-2]].to(key.dtype)
        bias = self.bias[: key.shape[-2]].to(key.dtype)
        key_term = (key * weight[:, self.query_dim :]).sum(-1) + bias
        return weight[:, : self.query_dim], key_term

    def check(self, query: Tensor, key: Tensor) -> None:
        require_width("ConcatLinear", "query", query, self.query_dim)
        require_width("ConcatLinear", "key", key, self.key_dim)
        require_at_most("ConcatLinear", key, self.num_keys)

    def extra_repr(self) -> str:
        return f"{self.query_dim}, {self.key_dim}, num_keys={self.num_keys}"
