"""Padding masking: no query sees the padding after (or before) a sequence."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from regard._pairwise import Index, check_batch, check_device, describe, is_integer
from regard.masks._mask import Mask


@dataclass(frozen=True, eq=False)
class Padding(Mask):
    """A query sees the keys of its own sequence, not the padding: k < lengths[b].

    The argument's name states the polarity of the mask, because libraries disagree
    (`torch.nn.MultiheadAttention` takes what to ignore, SDPA what to keep). Give exactly one.

    Args:
        lengths: integers [batch], the number of real keys at the start of each sequence.
        keep: booleans [batch, k_len], True for real keys (Hugging Face's `attention_mask.bool()`).
        ignore: booleans [batch, k_len], True for padding (torch's `key_padding_mask`).

    Raises TypeError for another dtype or number of dimensions, ValueError unless exactly one is
    given. `check` raises ValueError when batch, k_len or device differ from the call's.

    >>> import torch
    >>> from regard.masks import Padding
    >>> mask = Padding(torch.tensor([2, 3]))
    >>> mask
    Padding(lengths=int64[2])
    >>> b, h, q, k = torch.arange(2)[:, None], torch.tensor(0), torch.tensor(0), torch.arange(3)
    >>> mask(b, h, q, k)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """

    lengths: Shaped[Tensor, "..."] | None = None
    keep: Shaped[Tensor, "..."] | None = None
    ignore: Shaped[Tensor, "..."] | None = None

    def __post_init__(self) -> None:
        """Refuse tensors whose meaning would have to be guessed."""
        given = self._given()
        if len(given) != 1:
            raise ValueError(
                f"Padding needs exactly one of lengths, keep and ignore, got {len(given)}; "
                "name the one you have, as in Padding(keep=mask)."
            )
        ((name, tensor),) = given.items()
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Padding needs {name} to be a tensor, got {type(tensor).__name__}; "
                f"use torch.tensor({name})."
            )
        if name == "lengths" and not (is_integer(tensor) and tensor.ndim == 1):
            raise TypeError(
                f"Padding needs lengths to be integers [batch], got {describe(tensor)}; "
                "a mask is given by name, as in Padding(keep=mask) or Padding(ignore=mask), and "
                "numbers of keys for each query as KeyCounts(counts)."
            )
        if name != "lengths" and not (tensor.dtype == torch.bool and tensor.ndim == 2):
            raise TypeError(
                f"Padding needs {name} to be booleans [batch, k_len], got {describe(tensor)}; "
                f"use mask.bool() where 1 means {name}."
            )

    def __call__(self, b: Index, h: Index, q: Index, k: Index) -> Bool[Tensor, "..."]:
        """Permit real keys."""
        if self.lengths is not None:
            return k < self.lengths[b]
        if self.ignore is not None:
            return ~self.ignore[b, k]
        ((_, keep),) = self._given().items()
        return keep[b, k]

    def check(
        self, query: Shaped[Tensor, "batch heads q_len _"], key: Shaped[Tensor, "_ _ k_len _"]
    ) -> None:
        """Raise unless the tensor fits the call's batch, keys and device."""
        ((name, tensor),) = self._given().items()
        owner = f"Padding({name})"
        check_device(owner, tensor, query)
        check_batch(owner, tensor.shape[0], query)
        if name != "lengths" and tensor.shape[1] != key.shape[2]:
            raise ValueError(
                f"{owner} has k_len {tensor.shape[1]} but key has k_len {key.shape[2]}; "
                "give one boolean per key, cached keys included."
            )

    def __repr__(self) -> str:
        """Print what was given."""
        ((name, tensor),) = self._given().items()
        return f"Padding({name}={describe(tensor)})"

    def _given(self) -> dict[str, Tensor]:
        named = {"lengths": self.lengths, "keep": self.keep, "ignore": self.ignore}
        return {name: tensor for name, tensor in named.items() if tensor is not None}
