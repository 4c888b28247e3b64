"""Rotary position embedding."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from regard._numbers import count, number, scalar
from regard._torch_private import is_traced
from regard.positions._width import width_of


@runtime_checkable
class Scaling(Protocol):
    """What scales the frequencies for longer texts, such as `YaRN`."""

    @property
    def amplitude(self) -> float: ...

    def __call__(self, frequencies: Tensor, base: float) -> Tensor: ...


FEW = 16
"""Positions whose angles are cached between calls."""


@dataclass(frozen=True)
class RoPE:
    """Queries and keys rotated by their position, so that dot products depend only on distance.

        (x_a, x_b) -> (x_a cos p f_i - x_b sin p f_i,  x_b cos p f_i + x_a sin p f_i)
        f_i = base^(-2i / width)

    at position p, for each pair (a, b) of the first `width` numbers of a head (all by default;
    the rest passes unchanged). The pairs are the two halves, (i, i + width/2), as in Hugging Face's
    Llama, or with `interleaved` neighbors, (2i, 2i + 1), as in the paper and GPT-J. Weights trained
    for one layout give garbage in the other.

    For texts longer than those seen in training, the frequencies may be scaled, and the rotated
    vectors multiplied: `RoPE(scaling=YaRN(4.0, trained=2048))`, `Llama3`.

    Angles are computed in float64 and are not model buffers, so that position 10^6 is exact even
    in a bfloat16 model; x is rotated in float32 (float64 for float64 input) and the result has
    its dtype.
    Raises ValueError when `width` is odd or larger than the head, `base` is not positive, or is
    learned together with a `scaling`, or both `positions` and an `offset` are given.

    Example:
        >>> x = torch.tensor([1.0, 0.0]).expand(1, 1, 3, 2)
        >>> RoPE()(x)[0, 0]
        tensor([[ 1.0000,  0.0000],
                [ 0.5403,  0.8415],
                [-0.4161,  0.9093]])

    References:
        Jianlin Su, Yu Lu, Shengfeng Pan, Bo Wen, Yunfeng Liu. RoFormer: Enhanced Transformer with
        Rotary Position Embedding. 2021. https://arxiv.org/abs/2104.09864
    """

    base: float = 10000.0
    width: int | None = None
    interleaved: bool = False
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        base = number("RoPE", "base", self.base, above=0.0, hint="the paper uses 10000")
        object.__setattr__(self, "base", base)
        if self.scaling is not None and type(base) is not float:
            raise ValueError("a learned base has no scaling: give a number, or leave scaling out")
        if self.width is None:
            return
        width = count(
            "RoPE", "width", self.width, least=0, hint="RoPE turns pairs, give an even one"
        )
        if width % 2:
            raise ValueError(
                f"width must be even, because RoPE turns pairs, got {width}; "
                f"pass width={width - 1} to leave the last number unturned"
            )
        object.__setattr__(self, "width", width)

    def __call__(
        self,
        x: Float[Tensor, "batch heads length head_dim"],
        positions: Int[Tensor, " length"] | Int[Tensor, "#batch length"] | None = None,
        offset: int = 0,
    ) -> Float[Tensor, "batch heads length head_dim"]:
        """Rotate `x`, whose first position is `offset` or whose positions are all given."""
        head_dim = width_of(x)
        width = self._width(head_dim)
        offset = count("RoPE", "offset", offset, least=-(2**53), hint="it is the first position")
        if positions is not None and offset:
            raise ValueError(
                f"give either positions or an offset, got both (offset={offset}); "
                "add the offset to the positions"
            )
        exact = torch.promote_types(x.dtype, torch.float32)
        length = x.shape[-2]
        few = not is_traced() and x.device.type == "cpu" and length <= FEW
        if few and positions is None and type(self.base) is float:
            cos, sin = _few_waves(self, width, offset, length, exact)
        else:
            cos, sin = self._waves(x, width, positions, offset, exact)

        split, join = self._layout()
        a, b = rearrange(x[..., :width].to(exact), split, two=2).unbind(0)
        turned = torch.stack((a * cos - b * sin, b * cos + a * sin))
        turned = rearrange(turned, join).to(x.dtype)
        return turned if width == head_dim else torch.cat((turned, x[..., width:]), dim=-1)

    def _waves(
        self, x: Tensor, width: int, positions: Tensor | None, offset: int, exact: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Cosines and sines of the angles at each position."""
        # The angles of position 10^6 are off by 0.03 in float32; MPS has no float64.
        device = "cpu" if x.device.type == "mps" else x.device
        if positions is None:
            positions = torch.arange(offset, offset + x.shape[-2], device=device)
        phases = positions.to(device, torch.float64)[..., None] * _frequencies(self, width, device)
        if phases.ndim == 3:
            phases = rearrange(phases, "batch length pairs -> batch 1 length pairs")
        cos, sin = _waves_of(self, phases)
        return cos.to(x.device, exact), sin.to(x.device, exact)

    def _layout(self) -> tuple[str, str]:
        """How the two of each pair are found in a head, and put back."""
        head = "(pairs two)" if self.interleaved else "(two pairs)"
        return f"... {head} -> two ... pairs", f"two ... pairs -> ... {head}"

    def _width(self, head_dim: int) -> int:
        width = head_dim if self.width is None else self.width
        if width % 2:
            raise ValueError(
                f"RoPE turns pairs of numbers, but head_dim is {head_dim}, which is odd; "
                f"pass width={head_dim - 1} to leave the last number unturned"
            )
        if width > head_dim:
            raise ValueError(
                f"RoPE has width={width}, but head_dim is {head_dim}; "
                f"pass a width of at most {head_dim}"
            )
        return width


def _frequencies(rope: RoPE, width: int, device: torch.device | str) -> Tensor:
    exponents = torch.arange(0, width, 2, device=device, dtype=torch.float64) / max(width, 1)
    found = scalar(rope.base, exponents) ** -exponents
    return found if rope.scaling is None else rope.scaling(found, rope.base)


def _waves_of(rope: RoPE, phases: Tensor) -> tuple[Tensor, Tensor]:
    if rope.scaling is None or rope.scaling.amplitude == 1.0:
        return phases.cos(), phases.sin()
    return rope.scaling.amplitude * phases.cos(), rope.scaling.amplitude * phases.sin()


@lru_cache(maxsize=32)
def _few_waves(
    rope: RoPE, width: int, offset: int, length: int, exact: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosines and sines, kept for a while: a step of writing asks for the same in every layer."""
    with torch.inference_mode(False), torch.no_grad():
        positions = torch.arange(offset, offset + length, dtype=torch.float64, device="cpu")
        cos, sin = _waves_of(rope, positions[:, None] * _frequencies(rope, width, "cpu"))
        return cos.to(exact), sin.to(exact)
