"""What a recommender learns by: clicks on single items, or a softmax over all of them."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding, logsigmoid

from regard.config import Config, Count, LargeCount
from regard.models.protocols import TwoTower
from regard.sequences import Sequences
from regard.tasks.recommend.sampled_softmax import log_uniform, sampled_nll


@dataclass(frozen=True, kw_only=True)
class BinaryCrossEntropy(Config):
    """Is an item clicked or not? Each is judged by itself.

        nll = -log σ(s_chosen) - Σ_j log(1 - σ(s_j))        j: items that the user did not choose

    Args:
        negatives: items offered beside each one that was chosen, drawn anew in each epoch from
            those that the user did not choose in training.
    """

    tag = "binary"

    negatives: Count = 4

    def nll(
        self, model: Any, history: Sequences, candidate: Int[Tensor, "batch n"], first_item: int
    ) -> Float[Tensor, " batch"]:
        """The cost of calling the first candidate clicked and the others not, summed over them."""
        logits = model(history, candidate).float()
        sign = torch.ones_like(logits)
        sign[:, 1:] = -1.0
        return -logsigmoid(sign * logits).sum(1)

    def log_probability(self, scores: Float[Tensor, "batch items"]) -> Float[Tensor, "batch items"]:
        """How likely a click on each item is."""
        return logsigmoid(scores)


@dataclass(frozen=True, kw_only=True)
class SampledSoftmax(Config):
    """Which of all items is chosen? The rivals of the chosen one are estimated from a few.

    For networks with a vector for each user and one for each item, whose items are numbered from
    the most frequent on; see `sampled_nll`. Where nothing is learned the softmax is that of all
    items.

    Args:
        samples: items drawn for one batch; the paper's are thousands.
    """

    tag = "sampled_softmax"

    samples: LargeCount = 256

    negatives: ClassVar[int] = 0
    """Items that have to be offered beside a chosen one."""

    def nll(
        self, model: Any, history: Sequences, candidate: Int[Tensor, "batch n"], first_item: int
    ) -> Float[Tensor, " batch"]:
        """What the first candidate costs among all items from `first_item` on."""
        user, target = model.user(history).float(), candidate[:, 0]
        table = model.item_vectors.float()
        if not model.training:
            logits = user @ table[first_item:].mT
            return torch.logsumexp(logits, 1) - (user * table[target]).sum(-1)
        chances = log_uniform(len(table), first_item).to(user.device)
        drawn = torch.multinomial(chances, self.samples, replacement=True)
        return sampled_nll(user, table, target, drawn, chances)

    def log_probability(self, scores: Float[Tensor, "batch items"]) -> Float[Tensor, "batch items"]:
        """How likely each of all items is the next."""
        return scores.log_softmax(-1)


RecommendLoss = BinaryCrossEntropy | SampledSoftmax
LOSSES: dict[str, type[RecommendLoss]] = {
    kind.tag: kind for kind in (BinaryCrossEntropy, SampledSoftmax)
}
"""What a loss is called → the loss."""


def loss_for(model: Any, loss: RecommendLoss | None = None) -> RecommendLoss:
    """The loss that was chosen, or the one that suits a network: softmax where it has two towers.

    Raises `ValueError` for a softmax of a network that has not.

    >>> from torch import nn
    >>> loss_for(nn.Identity())
    BinaryCrossEntropy(negatives=4)
    """
    two_towers = isinstance(model, TwoTower)
    if isinstance(loss, SampledSoftmax) and not two_towers:
        raise ValueError(
            f"loss={loss.tag} needs the vectors of users and items, `user` and `item_vectors`, "
            f"which {type(model).__name__} does not have; use loss={BinaryCrossEntropy.tag}"
        )
    if loss is not None:
        return loss
    return SampledSoftmax() if two_towers else BinaryCrossEntropy()


def occurring_l2(
    table: Float[Tensor, "items width"],
    items: Int[Tensor, " occurring"],
    counts: Float[Tensor, " items"],
) -> Float[Tensor, ""]:
    """Mini-batch-aware regularisation: `½ Σ_j |e_j|² / n_j` over the items `j` of the batch.

    Decaying the whole table in each step costs more than the step. Here only the rows that occur in
    the batch pay, each once, divided by how often it occurs in the training data, so that in an
    epoch a row pays about the same however frequent it is.

    Args:
        table: the vectors of the items.
        items: what occurs in the batch, any number of times.
        counts: how often each item occurs in all of the training data; below 1 counts as 1.

    >>> table = torch.full((3, 2), 2.0)
    >>> occurring_l2(table, torch.tensor([2, 2]), torch.tensor([0.0, 1.0, 4.0]))
    tensor(1.)

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """
    occurring = items.unique()
    squares = embedding(occurring, table).square().sum(-1)
    return 0.5 * (squares / counts[occurring].clamp(min=1.0)).sum()
