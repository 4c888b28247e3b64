"""The cost of a softmax over very many items, from a few that are drawn."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor


def sampled_nll(
    user: Float[Tensor, "batch width"],
    table: Float[Tensor, "items width"],
    target: Int[Tensor, " batch"],
    drawn: Int[Tensor, " samples"],
    probability: Float[Tensor, " items"],
) -> Float[Tensor, " batch"]:
    """The negative log-likelihood of each target, its rivals estimated from a few.

    Those are drawn with replacement.

        nll_t = log(exp(o_t) + Σ_{j drawn, j ≠ t} exp(o_j) / (m q_j)) - o_t        o = table · user

    Every rival's chance of being drawn is divided out, so the sum over rivals is right in
    expectation whatever `probability` is, as long as none is zero; a target that was drawn is left
    out, because it stands there by itself. The logarithm of an unbiased sum is too low on average,
    by less the more are drawn.

    Args:
        user: the vectors of the users; `table`: those of the items.
        target: what each user chose.
        drawn: numbers of items drawn with `probability`, the same for all users.

    References:
        Bengio & Senécal. Adaptive Importance Sampling to Accelerate Training of a Neural
        Probabilistic Language Model. 2008. https://doi.org/10.1109/TNN.2007.912312
        Jean, Cho, Memisevic & Bengio. On Using Very Large Target Vocabulary for Neural Machine
        Translation. 2015. https://arxiv.org/abs/1412.2007
    """
    own = (user * table[target]).sum(-1, keepdim=True)
    rivals = user @ table[drawn].mT - (len(drawn) * probability[drawn]).log()
    hit = rearrange(drawn, "samples -> 1 samples") == rearrange(target, "batch -> batch 1")
    every = torch.cat([own, rivals.masked_fill(hit, -torch.inf)], dim=1)
    return every.logsumexp(1) - own.squeeze(1)


def log_uniform(items: int, first_item: int) -> Float[Tensor, " items"]:
    """Zipf's chances of being drawn for items numbered from the most frequent on.

        q_r = log((r + 2) / (r + 1)) / log(n + 1)        r = 0 is the most frequent of n items

    The first `first_item` numbers, which stand for no item, are never drawn.

    Raises `ValueError` when there is no item.

    >>> log_uniform(5, first_item=2).tolist()[2:]
    [0.5, 0.29248..., 0.20751...]
    """
    count = items - first_item
    if count < 1:
        raise ValueError(
            f"of {items} numbers {first_item} stand for no item; there is none to draw"
        )
    ranks = torch.arange(count, dtype=torch.float64)
    chances = torch.log((ranks + 2) / (ranks + 1)) / torch.log(torch.tensor(count + 1.0).double())
    return torch.cat([torch.zeros(first_item, dtype=torch.float64), chances]).float()
