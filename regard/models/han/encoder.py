"""The encoder of words in a sentence, and of sentences in a document."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from regard.layers import GRU, Dropout


class BothWays(nn.Module):
    """A bidirectional GRU over sequences, and dropout; padding has no effect.

    The reset gate acts before the product with the state, as in Cho et al. (2014).

    >>> encoder = BothWays(4, 3, dropout=0.0)
    >>> encoder(torch.randn(2, 5, 4), torch.tensor([5, 2])).shape
    torch.Size([2, 5, 6])
    """

    def __init__(self, input_dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.cells, self.width = GRU(input_dim, width, cells=2), width
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch k_len input_dim"], lengths: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch k_len both_widths"]:
        forwards = rearrange(x, "batch k_len width -> k_len batch width")
        place = torch.arange(x.shape[1], device=x.device)
        real = rearrange(place, "k_len -> k_len 1 1") < rearrange(lengths, "batch -> batch 1")
        gates, candidates = self.cells.project(torch.stack([forwards, forwards.flip(0)]))
        start = gates.new_zeros(2, x.shape[0], self.width)
        keep = torch.stack([real, real.flip(0)]).to(x.dtype)
        forwards, backwards = self.cells(gates, candidates, start, keep)
        both = torch.cat([forwards, backwards.flip(0)], dim=-1)
        return self.dropout(rearrange(both, "k_len batch width -> batch k_len width"))
