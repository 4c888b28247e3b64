"""Adaptive computation time: each position decides how many blocks it passes through."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from regard._backends._structure import conjuncts
from regard._numbers import count
from regard._torch_private import can_look_at
from regard._typing import MaskMod
from regard.layers.aux_loss import PonderLoss
from regard.layers.part_module import unwrapped
from regard.layers.stack import Stack
from regard.masks import Padding


@dataclass(frozen=True, eq=False)
class ACTOutput:
    """The output, the number of blocks run at each position, and the weight of the last of them.

    Padding takes no step; its output is zero.
    """

    output: Float[Tensor, "batch q_len embed_dim"]
    steps: Int[Tensor, "batch q_len"]
    remainder: Float[Tensor, "batch q_len"]

    @property
    def ponder_cost(self) -> Float[Tensor, "batch q_len"]:
        """Graves' `N + R`; only the remainder has a gradient."""
        return self.steps + self.remainder

    def ponder_loss(self, price: float) -> PonderLoss:
        """`price` times the mean ponder cost of each row's positions, without padding."""
        real = (self.steps > 0).sum(1)
        return PonderLoss(price * self.ponder_cost.sum(1) / real.clamp(min=1))


class Halting(nn.Module):
    """A stack that each position leaves when its halting probabilities sum to 1 - epsilon.

        h_n = sigmoid(w s_n + b)              s_n = block_n(s_{n-1}), the state after n blocks
        N = the first n with h_1 + ... + h_n >= 1 - epsilon, or the last block
        p_n = h_n for n < N,    p_N = R = 1 - (h_1 + ... + h_{N-1})
        output = p_1 s_1 + ... + p_N s_N

    The state of a halted position is frozen, and others continue to attend to it. When all have
    halted, the remaining blocks are not run. Positions masked by a `Padding` never ponder. `b`
    starts at 1, so that few steps are taken at first.

    Args:
        stack: blocks; the Universal Transformer's are `universal(block, steps)`.

    Raises:
        ValueError: epsilon is not greater than 0 and less than 1.

    Example:
        >>> from regard.layers import EncoderBlock, FeedForward, PostNorm, SelfAttention, universal
        >>> block = EncoderBlock(SelfAttention(8, 2), FeedForward(8, 32),
        ...                      lambda: PostNorm(nn.LayerNorm(8)))
        >>> halting = Halting(universal(block, 6), embed_dim=8)
        >>> found = halting.forward_act(torch.randn(2, 5, 8), Padding(torch.tensor([5, 0])))
        >>> found.steps.shape, found.ponder_cost[1].tolist()
        (torch.Size([2, 5]), [0.0, 0.0, 0.0, 0.0, 0.0])

    References:
        Graves. Adaptive Computation Time for Recurrent Neural Networks. 2016.
        https://arxiv.org/abs/1603.08983
        Dehghani, Gouws, Vinyals, Uszkoreit & Kaiser. Universal Transformers. 2019.
        https://arxiv.org/abs/1807.03819
    """

    def __init__(self, stack: Stack, embed_dim: int, epsilon: float = 0.01) -> None:
        super().__init__()
        if not 0.0 < epsilon < 1.0:
            raise ValueError(f"epsilon must be greater than 0 and less than 1, got {epsilon}")
        self.stack, self.epsilon = stack, epsilon
        embed_dim = count("Halting", "embed_dim", embed_dim, least=1, hint="it is a width")
        self.halt = nn.Linear(embed_dim, 1)
        nn.init.ones_(self.halt.bias)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.stack)

    def __len__(self) -> int:
        return len(self.stack)

    def forward(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        **named: Any,
    ) -> Float[Tensor, "batch q_len embed_dim"]:
        """Keyword arguments are passed to each block, as in `Stack`."""
        return self.forward_act(x, mask, **named).output

    def forward_act(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        **named: Any,
    ) -> ACTOutput:
        """The same, with the number of steps of each position."""
        running = _real(x, mask)
        output, spent = torch.zeros_like(x), x.new_zeros(x.shape[:2])
        steps, remainder = torch.zeros_like(running, dtype=torch.int64), torch.zeros_like(spent)
        for number, block in enumerate(self.stack, 1):
            x = torch.where(running.unsqueeze(-1), self.stack.through(block, x, mask, **named), x)
            halting = rearrange(self.halt(x).sigmoid(), "batch q_len 1 -> batch q_len")
            over = spent + halting >= 1.0 - self.epsilon
            last = running & (over if number < len(self.stack) else running)
            weight = torch.where(last, 1.0 - spent, halting).masked_fill(~running, 0.0)
            output = output + weight.unsqueeze(-1) * x
            steps, spent = steps + running, spent + weight
            remainder = torch.where(last, weight, remainder)
            running = running & ~last
            if _none(running):
                break
        return ACTOutput(output, steps, remainder)

    def weights(
        self,
        x: Float[Tensor, "batch q_len embed_dim"],
        mask: MaskMod | Bool[Tensor, "..."] | None = None,
        **named: Any,
    ) -> Float[Tensor, "layers batch heads q_len k_len"]:
        """The exact weights of each block in the same call; halted positions keep their last."""
        found: list[Tensor] = []
        steps = self.forward_act(x, mask, **named).steps
        for number, block in enumerate(self.stack, 1):
            running = steps >= number
            look = block.weights(x, mask, **named)
            if found:
                look = torch.where(rearrange(running, "b q -> b 1 q 1"), look, found[-1])
            found.append(look)
            x = torch.where(running.unsqueeze(-1), block(x, mask, **named), x)
        return torch.stack(found)


def _real(x: Tensor, mask: MaskMod | Bool[Tensor, "..."] | None) -> Bool[Tensor, "batch q_len"]:
    """Which positions are not padding, according to the mask."""
    real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    row = rearrange(torch.arange(x.shape[0], device=x.device), "batch -> batch 1")
    place = torch.arange(x.shape[1], device=x.device)
    zero = torch.zeros((), dtype=torch.int64, device=x.device)
    for part in [] if isinstance(mask, Tensor) else conjuncts(unwrapped(mask)):
        if isinstance(part, Padding):
            real = real & part(row, zero, zero, place)
    return real


def _none(running: Tensor) -> bool:
    """Has every position halted? Where asking is dear or impossible, the blocks run on."""
    return can_look_at(running) and not bool(running.any())
