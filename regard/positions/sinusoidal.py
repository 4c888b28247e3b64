"""Sinusoidal position encoding."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from regard._numbers import count
from regard._torch_private import is_jit_traced, is_traced
from regard.positions._width import width_of

Variant = Literal["paper", "official"]
_KEPT = 256


def sinusoidal(
    length: int,
    dim: int,
    *,
    variant: Variant = "paper",
    base: float = 10000.0,
    offset: int = 0,
    device: torch.device | str | None = None,
) -> Float[Tensor, "{length} {dim}"]:
    """A vector per position, to be added to the embeddings; float32.

        encoding[p, 2i] = sin(p base^(-2i / dim))      encoding[p, 2i + 1] = cos(p base^(-2i / dim))

    `variant="official"` is the authors' tensor2tensor code instead: all sines first, then all
    cosines, `h = dim // 2` of each, with wavelengths that reach `base` exactly,
    `sin(p base^(-i / (h - 1)))`. An odd `dim` ends with a sine in the paper's layout and with a
    column of zeros in the official one. `offset` is the first position; `device` None is PyTorch's
    default device.
    Raises ValueError when `length` or `dim` is negative or `variant` is unknown.

    Example:
        >>> sinusoidal(2, 4)
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0100, 0.9999]])

    References:
        Ashish Vaswani, Noam Shazeer, Niki Parmar, et al. Attention Is All You Need. 2017.
        https://arxiv.org/abs/1706.03762
    """
    if not is_jit_traced():  # there a length is a tensor
        length = count("sinusoidal", "length", length, least=0, hint="it is a number of positions")
    dim = count("sinusoidal", "dim", dim, least=0, hint="it is a width")
    offset = count("sinusoidal", "offset", offset, least=-(2**53), hint="it is the first position")
    if variant not in ("paper", "official"):
        raise ValueError(f"variant must be 'paper' or 'official', got {variant!r}")

    # On the CPU whatever the default device is: not every device has float64, and meta no numbers.
    cpu = torch.device("cpu")
    position = torch.arange(offset, offset + length, dtype=torch.float64, device=cpu)
    if variant == "paper":
        pairs = (dim + 1) // 2
        exponent = 2.0 * torch.arange(pairs, dtype=torch.float64, device=cpu) / max(dim, 1)
        phase = torch.outer(position, base**-exponent)
        waves = torch.stack((phase.sin(), phase.cos()))
        encoding = rearrange(waves, "two length pairs -> length (pairs two)")[:, :dim]
    else:
        pairs = dim // 2
        exponent = torch.arange(pairs, dtype=torch.float64, device=cpu) / max(pairs - 1, 1)
        phase = torch.outer(position, base**-exponent)
        waves = torch.stack((phase.sin(), phase.cos()))
        encoding = F.pad(rearrange(waves, "two length pairs -> length (two pairs)"), (0, dim % 2))
    # float64 until here: the phase of position 10^6 is off by 0.03 in float32.
    default = torch.empty(0).device
    return encoding.to(dtype=torch.float32, device=default if device is None else device)


class Sinusoidal(nn.Module):
    """The same for the positions of a batch, cached between calls; nothing is learned.

    Example:
        >>> positions, x = Sinusoidal(), torch.randn(2, 3, 8)
        >>> torch.equal(positions(x, offset=4), sinusoidal(3, 8, offset=4))
        True

    References:
        Ashish Vaswani, Noam Shazeer, Niki Parmar, et al. Attention Is All You Need. 2017.
        https://arxiv.org/abs/1706.03762
    """

    def __init__(self, variant: Variant = "paper", base: float = 10000.0) -> None:
        super().__init__()
        self.variant, self.base = variant, base
        self.kept: Tensor | None = None

    def forward(
        self, x: Float[Tensor, "batch q_len embed_dim"], *, offset: int = 0
    ) -> Float[Tensor, "q_len embed_dim"]:
        """Vectors of the positions of `x`, the first of which is `offset`, in its dtype."""
        if is_traced():
            # What a recording or a transform makes is not kept: it must not outlive it.
            return self._rows(x.shape[1], x, offset)
        last, kept = offset + x.shape[1], self.kept
        kind = (x.dtype, x.device, x.shape[-1])
        if kept is None or len(kept) < last or (kept.dtype, kept.device, kept.shape[-1]) != kind:
            # A power of two, so that reading token by token seldom computes them again.
            kept = self._rows(max(_KEPT, 1 << (last - 1).bit_length()), x, 0)
            self.kept = kept
        return kept[offset:last]

    def _rows(self, length: int, x: Tensor, offset: int) -> Tensor:
        rows = sinusoidal(
            length,
            width_of(x),
            variant=self.variant,
            base=self.base,
            offset=offset,
            device=x.device,
        )
        return rows.to(x.dtype)

    def extra_repr(self) -> str:
        return f"variant={self.variant!r}, base={self.base:g}"
