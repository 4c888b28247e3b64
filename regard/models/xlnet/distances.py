"""The encodings of distances."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._torch_private import is_traced
from regard.positions import sinusoidal


class Distances(nn.Module):
    """Sines and cosines of distances, in descending order from the number of keys.

        R[d] = [sin(d w_1), ..., sin(d w_n), cos(d w_1), ..., cos(d w_n)],  w_i = 10000^(-2i / n)

    They end with the distance from the first token to the last one, `1 - present`, or with 0 in a
    causal network. The result of the last call is cached.

    Args:
        width: of a vector, an even number.
        clamp: larger distances are clamped to it.

    >>> Distances(2)(present=2, length=2, like=torch.ones(())).shape
    torch.Size([1, 4, 2])

    References:
        Dai et al. Transformer-XL: Attentive Language Models Beyond a Fixed-Length Context. 2019.
        https://arxiv.org/abs/1901.02860
    """

    def __init__(self, width: int, clamp: int | None = None, causal: bool = False) -> None:
        super().__init__()
        self.width, self.clamp, self.causal = width, clamp, causal
        self.kept: tuple[object, Tensor] | None = None

    def forward(
        self, present: int, length: int, like: Tensor, directions: bool = False
    ) -> Float[Tensor, "directions distances width"]:
        """For this many tokens, and this many keys including memory, in the dtype of `like`.

        With `directions` the second row is for texts that run backward.
        """
        form = (present, length, directions, like.dtype, like.device)
        if is_traced():
            return self._made(*form)
        if self.kept is None or self.kept[0] != form:
            with torch.inference_mode(False), torch.no_grad():
                self.kept = form, self._made(*form)
        return self.kept[1]

    def _made(
        self, present: int, length: int, directions: bool, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        last = 0 if self.causal else 1 - present
        far = length if self.clamp is None else min(length, self.clamp)
        table = sinusoidal(2 * far + 1, self.width, offset=-far, device=device)
        table = rearrange(table, "length (pairs two) -> length (two pairs)", two=2)
        distance = torch.arange(length, last - 1, -1, device=device).clamp(-far, far)
        signs = (1, -1) if directions else (1,)
        return torch.stack([table[sign * distance + far] for sign in signs]).to(dtype)

    def extra_repr(self) -> str:
        return f"{self.width}, clamp={self.clamp}, causal={self.causal}"
