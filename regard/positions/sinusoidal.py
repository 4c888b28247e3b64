"""Sinusoidal position encoding."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from regard._numbers import count
from regard._torch_private import is_jit_traced


def sinusoidal(
    length: int,
    dim: int,
    *,
    variant: Literal["paper", "official"] = "paper",
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
