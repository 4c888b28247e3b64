"""Items as vectors: each its own, and those of its side features beside it."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn


class ItemEmbedding(nn.Module):
    """An item's vector and one for each of its features, side by side.

        e(i) = [E_item[i] ; E_feature[features[i, 1]] ; E_feature[features[i, 2]] ; ...]

    Args:
        items: how many there are; 0 is padding.
        embed_dim: width of one embedding; an item has `width = embed_dim · (1 + columns)`.
        features: for each item the numbers of its features, or None where nothing is known.
        values: how many feature numbers there are.

    Raises `ValueError` when the table of features is not of these items, or names a greater number.

    >>> category = torch.tensor([[0], [0], [1], [2]])
    >>> ItemEmbedding(4, 8, category, 3)(torch.tensor([[2, 3]])).shape
    torch.Size([1, 2, 16])
    """

    features: Tensor | None

    def __init__(
        self,
        items: int,
        embed_dim: int,
        features: Int[Tensor, "items columns"] | None = None,
        values: int = 1,
    ) -> None:
        super().__init__()
        if features is not None and len(features) != items:
            raise ValueError(f"there are {items} items but features of {len(features)}")
        if features is not None and features.numel() and int(features.max()) >= values:
            raise ValueError(f"a feature has number {int(features.max())}, there are {values}")
        columns = 0 if features is None else features.shape[1]
        self.width = embed_dim * (1 + columns)
        self.item = nn.Embedding(items, embed_dim)
        nn.init.normal_(self.item.weight, std=embed_dim**-0.5)
        # Not saved: it is data, and comes with the data.
        self.register_buffer("features", features if columns else None, persistent=False)
        self.feature = nn.Embedding(values, embed_dim) if columns else None
        if self.feature is not None:
            nn.init.normal_(self.feature.weight, std=embed_dim**-0.5)

    def forward(self, items: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n width"]:
        own = self.item(items)
        if self.feature is None or self.features is None:
            return own
        known = self.feature(self.features[items])
        return torch.cat(
            [own, rearrange(known, "batch n column width -> batch n (column width)")], -1
        )


def occurring_l2(
    embedding: ItemEmbedding, items: Int[Tensor, "..."], counts: Float[Tensor, " items"]
) -> Float[Tensor, ""]:
    """Mini-batch-aware regularisation: `½ Σ_j |e_j|² / n_j` over the items `j` of the batch.

    Decaying the whole table in each step costs more than the step. Here only the rows that occur in
    the batch pay, each once, divided by how often it occurs in the training data, so that in an
    epoch a row pays about the same however frequent it is.

    Args:
        items: what occurs in the batch, in any shape and number; padding (0) does not count.
        counts: how often each item occurs in all of the training data; below 1 counts as 1.

    >>> table = ItemEmbedding(3, 2)
    >>> nn.init.constant_(table.item.weight, 2.0).shape
    torch.Size([3, 2])
    >>> occurring_l2(table, torch.tensor([2, 2, 0]), torch.tensor([0.0, 1.0, 4.0]))
    tensor(1., grad_fn=<MulBackward0>)

    References:
        Zhou et al. Deep Interest Network for Click-Through Rate Prediction. 2018.
        https://arxiv.org/abs/1706.06978
    """
    occurring = items.unique()
    occurring = occurring[occurring > 0]
    squares = embedding.item(occurring).square().sum(-1)
    return 0.5 * (squares / counts[occurring].clamp(min=1.0)).sum()
