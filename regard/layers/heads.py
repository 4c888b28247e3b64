"""The number of heads of an attention layer, and their width."""

from dataclasses import dataclass

from regard._numbers import count
from regard._pairwise import Count


@dataclass(frozen=True)
class Heads:
    """The heads of an attention layer; a layer takes `Heads(8)` and `8` alike.

    Args:
        num_heads: query heads.
        kv_heads: key/value heads, the number of query heads if None; fewer are shared by groups of
            query heads (grouped-query attention), 1 by all of them (multi-query).
        head_dim: width of a head; `embed_dim / num_heads` if None.

    Raises:
        ValueError: a number is below 1, or `num_heads` is not a multiple of `kv_heads`.

    Example:
        >>> Heads(8, kv_heads=2).sizes(embed_dim=64)
        (8, 2, 8)

    References:
        Ainslie et al. GQA: Training Generalized Multi-Query Transformer Models from Multi-Head
        Checkpoints. 2023. https://arxiv.org/abs/2305.13245
    """

    num_heads: Count
    kv_heads: Count | None = None
    head_dim: Count | None = None

    def __post_init__(self) -> None:
        for name in ("num_heads", "kv_heads", "head_dim"):
            if (value := getattr(self, name)) is not None:
                hint = "leave it out for the usual" if name != "num_heads" else "one is enough"
                object.__setattr__(self, name, count("Heads", name, value, least=1, hint=hint))
        if self.kv_heads is not None and int(self.num_heads) % int(self.kv_heads):
            raise ValueError(
                f"num_heads {self.num_heads} is no multiple of kv_heads {self.kv_heads}: each "
                "key/value head serves the same number of query heads"
            )

    def sizes(self, embed_dim: int) -> tuple[int, int, int]:
        """The numbers of query and key/value heads and the head width, in a layer of this width.

        Raises `ValueError` when no width was given and `embed_dim` is not divisible.
        """
        num_heads = int(self.num_heads)
        kv_heads = num_heads if self.kv_heads is None else int(self.kv_heads)
        if self.head_dim is not None:
            return num_heads, kv_heads, int(self.head_dim)
        if embed_dim % num_heads:
            raise ValueError(
                f"embed_dim {embed_dim} is not divisible by num_heads {num_heads}: choose another "
                f"number of heads or give Heads({num_heads}, head_dim=...)"
            )
        return num_heads, kv_heads, embed_dim // num_heads
