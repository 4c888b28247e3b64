"""Item embeddings: an item's own vector, concatenated with those of its side features."""

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn


class ItemEmbedding(nn.Module):
    """An item's vector, concatenated with one for each of its features.

        e(i) = [E_item[i] ; E_feature[features[i, 1]] ; E_feature[features[i, 2]] ; ...]

    Args:
        items: number of items; 0 is padding.
        embed_dim: width of one embedding; an item has `width = embed_dim · (1 + columns)`.
        columns: number of features per item. Their values are a buffer, 0 for unknown, until
            `set_features` is called.
        values: number of distinct feature values.

    >>> items = ItemEmbedding(4, 8, columns=1, values=3)
    >>> items.set_features(torch.tensor([[0], [0], [1], [2]]))
    >>> items(torch.tensor([[2, 3]])).shape
    torch.Size([1, 2, 16])
    """

    features: Tensor | None

    def __init__(self, items: int, embed_dim: int, columns: int = 0, values: int = 1) -> None:
        super().__init__()
        self.width = embed_dim * (1 + columns)
        self.item = nn.Embedding(items, embed_dim)
        nn.init.normal_(self.item.weight, std=embed_dim**-0.5)
        unknown = torch.zeros(items, columns, dtype=torch.long) if columns else None
        self.register_buffer("features", unknown)
        self.feature = nn.Embedding(values, embed_dim) if columns else None
        if self.feature is not None:
            nn.init.normal_(self.feature.weight, std=embed_dim**-0.5)

    @torch.no_grad()
    def set_features(self, features: Int[Tensor, "items columns"]) -> None:
        """Set the features of the items.

        Raises `ValueError` when the table is not of these items, or names a greater number.
        """
        items = self.item.num_embeddings
        columns = 0 if self.features is None else self.features.shape[1]
        if features.shape != (items, columns):
            raise ValueError(
                f"there are {items} items of {columns} features each, but features of "
                f"{len(features)} with {features.shape[1]} each"
            )
        if self.features is None or self.feature is None or not features.numel():
            return
        least, most, values = int(features.min()), int(features.max()), self.feature.num_embeddings
        if least < 0 or most >= values:
            number = least if least < 0 else most
            raise ValueError(f"a feature has number {number}, there are {values} from 0 on")
        self.features.copy_(features)

    def forward(self, items: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n width"]:
        own = self.item(items)
        if self.feature is None or self.features is None:
            return own
        known = self.feature(self.features[items])
        return torch.cat(
            [own, rearrange(known, "batch n column width -> batch n (column width)")], -1
        )
