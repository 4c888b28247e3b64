"""The effect of each head on a network's output."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from regard.explain._named_modules import first_tensor, number_of_heads, require_eval
from regard.explain.ablation import ablated


@dataclass(frozen=True, eq=False)
class HeadEffect:
    """How the output changed without one head.

    Args:
        layer: the attention module.
        head: which of its heads.
        change: of the score, without the head minus with it: negative if the head supports it.
        distance: how far each state has turned, `1 - cos`, from 0 to 2; `[batch, query]` where the
            states are `[batch, query, width]`.
    """

    layer: str
    head: int
    change: Float[Tensor, "*batch"]
    distance: Float[Tensor, "..."]


def head_effects(
    model: nn.Module,
    run: Callable[[], Any],
    score: Callable[[Any], Tensor],
    heads: Mapping[str, Iterable[int] | None],
    *,
    state: Callable[[Any], Tensor] = first_tensor,
    of: int | None = None,
) -> tuple[HeadEffect, ...]:
    """Ablate one head at a time, and return its effect on a score and on the hidden states.

    It runs the network once, and once more for each head, without gradients.

    Args:
        run: calls the network on its input: `lambda: model(x)`.
        score: maps the result of `run` to a number, or one per item: a logit, a loss.
        heads: the name of an attention module → which of its heads, None for all.
        state: maps the result of `run` to the states, vectors along the last axis.
        of: as in `ablated`.

    Raises:
        ValueError, TypeError, IndexError, RuntimeError: as `ablated`; or a network in training.

    Example:
        >>> from regard.layers import MultiHeadAttention
        >>> layer, x = MultiHeadAttention(8, 2).eval(), torch.randn(1, 3, 8)
        >>> found = head_effects(layer, lambda: layer(x), lambda y: y.sum((1, 2)), {"": None})
        >>> [each.head for each in found], found[0].change.shape, found[0].distance.shape
        ([0, 1], torch.Size([1]), torch.Size([1, 3]))

    References:
        Michel, Levy & Neubig. Are Sixteen Heads Really Better than One?. 2019.
        https://arxiv.org/abs/1905.10650
    """
    require_eval("head_effects", model)
    found = []
    with torch.no_grad():
        whole = run()
        number, states = torch.as_tensor(score(whole)), state(whole)
        for name, chosen in heads.items():
            count = number_of_heads("head_effects", model, name) if of is None else of
            for head in range(count) if chosen is None else chosen:
                with ablated(model, {name: [head]}, of=count):
                    output = run()
                change = torch.as_tensor(score(output)) - number
                found.append(HeadEffect(name, head, change, turned(states, state(output))))
    return tuple(found)


def turned(before: Tensor, after: Tensor) -> Tensor:
    """How far vectors have turned: `1 - cos` of the angle; 0 if both are zero, 1 if one is.

    >>> turned(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0]))
    tensor(1.)
    """
    wide = torch.promote_types(before.dtype, torch.float32)
    one, other = (F.normalize(each.to(wide), dim=-1, eps=1e-30) for each in (before, after))
    # As a difference, so that small turns are not lost in 1 - 0.9999999.
    turn = (one - other).square().sum(-1) / 2
    one_is_zero = (one == 0).all(-1) != (other == 0).all(-1)
    return torch.where(one_is_zero, torch.ones_like(turn), turn)
