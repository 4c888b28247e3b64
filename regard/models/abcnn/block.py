"""A block of an ABCNN: wide convolution and average pooling, with attention before or between."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv1d

from regard.layers import Attend
from regard.models.abcnn.columns import Columns, match

WORDS_GAIN = 4.0
"""Initial gain of the word filters if there is also an attention feature.

With unit embeddings their sums stay below 0.2, where tanh is linear, and the mean of what a linear
filter finds is that of a bag of words: a new network would see a hundredth of the order.
"""


class ABCNNBlock(nn.Module):
    """Convolve both sentences with the same filters and pool them to the length they had.

        F' = tanh(conv([F ; F_a]))    F_{0,a} = W_0 A^T, F_{1,a} = W_1 A,   A_ij = match(F_0i, F_1j)
        a_{0,i} = sum_j A'_ij, a_{1,j} = sum_i A'_ij,                    A'_ij = match(F'_0i, F'_1j)
        w-ap: F''_j = sum_{k=j}^{j+w-1} a_k F'_k              all-ap: sum_k a_k F'_k

    Without attention at the input there is no `F_a`; without attention in the pooling, both sums
    are means. The convolution is wide: a sentence of n columns has n + w - 1 after it and, by w-ap,
    n again. The matrices A are computed once and used in both directions.

    Args:
        input_dim: number of rows of a column, before attention doubles it.
        hidden_dim: number of filters.
        width: w, of filters and pooling windows.
        attend: its weights are `match`.
        places: number of columns of W_0 and W_1, None for no attention at the input.
        weighted: whether there is attention in the pooling.
        shared: whether W_0 and W_1 are the same, as in the authors' experiments.

    Raises `ValueError` for a sentence longer than `places`.
    """

    def __init__(
        self,
        input_dim: int,
        hidden_dim: int,
        width: int,
        attend: Attend,
        places: int | None,
        weighted: bool,
        shared: bool = True,
    ) -> None:
        super().__init__()
        self.width, self.attend, self.weighted = width, attend, weighted
        self.left_places: nn.Parameter | None = None
        self.right_places: nn.Parameter | None = None
        if places is not None:
            self.left_places = nn.Parameter(torch.empty(places, input_dim))
            self.right_places = self.left_places
            # Small, so that it begins as if there were no attention.
            nn.init.normal_(self.left_places, std=0.01)
            if not shared:
                self.right_places = nn.Parameter(torch.empty(places, input_dim))
                nn.init.normal_(self.right_places, std=0.01)
        channels = 1 if places is None else 2
        self.filters = nn.Parameter(torch.empty(hidden_dim, channels * input_dim, width))
        self.bias = nn.Parameter(torch.zeros(hidden_dim))
        nn.init.xavier_uniform_(self.filters)
        if places is not None:
            with torch.no_grad():
                self.filters[:, :input_dim].mul_(WORDS_GAIN)

    def forward(
        self, left: Columns, right: Columns
    ) -> tuple[Columns, Columns, Float[Tensor, "batch width"], Float[Tensor, "batch width"]]:
        """Both sentences for the next block, and a vector for each."""
        left, right = self.convolve(left, right)
        if not self.weighted:
            vectors = left.mean(), right.mean()
            even = 1 / self.width
            return self._windows(left, even), self._windows(right, even), *vectors
        matrix = match(left, right, self.attend)
        left, right = left.weighted(matrix.sum(2)), right.weighted(matrix.sum(1))
        vectors = left.values.sum(1), right.values.sum(1)
        return self._windows(left), self._windows(right), *vectors

    def convolve(self, left: Columns, right: Columns) -> tuple[Columns, Columns]:
        """The input of the pooling for both: `width - 1` columns more than before."""
        one, other = left.values, right.values
        if self.left_places is not None and self.right_places is not None:
            _check(max(one.shape[1], other.shape[1]), len(self.left_places))
            matrix = match(left, right, self.attend)
            seen = matrix @ self.left_places[: matrix.shape[2]]
            one = torch.cat([one, seen], dim=-1)
            seen = matrix.mT @ self.right_places[: matrix.shape[1]]
            other = torch.cat([other, seen], dim=-1)
        return self._filtered(one, left.lengths), self._filtered(other, right.lengths)

    def _filtered(self, columns: Tensor, lengths: Tensor | None) -> Columns:
        if not columns.shape[1]:
            # Sentences without a word stay so, where one filled up with padding would get columns.
            return Columns(columns.new_zeros(len(columns), 0, len(self.bias)), lengths)
        channels = rearrange(columns, "batch len width -> batch width len")
        found = conv1d(channels, self.filters, self.bias, padding=self.width - 1).tanh()
        if lengths is not None:
            lengths = torch.where(lengths > 0, lengths + self.width - 1, 0)
        return Columns.of(rearrange(found, "batch width len -> batch len width"), lengths)

    def _windows(self, convolved: Columns, weight: float = 1.0) -> Columns:
        """The weighted sums over windows of columns, one for each column there was before."""
        if not convolved.values.shape[1]:
            return convolved
        sums = convolved.values.unfold(1, self.width, 1).sum(-1) * weight
        if convolved.lengths is None:
            return Columns(sums, None)
        return Columns.of(sums, (convolved.lengths - self.width + 1).clamp_min(0))


def _check(length: int, places: int) -> None:
    if length > places:
        raise ValueError(
            f"a sentence has {length} tokens, but max_length is {places}: cut it, or make "
            "max_length larger"
        )
