"""Tensors as loops read them: by their address, which knows nothing of a view's sign."""

from jaxtyping import Shaped
from torch import Tensor


def in_memory(tensor: Shaped[Tensor, "*size"]) -> Shaped[Tensor, "*size"]:
    """The same with its numbers one after the other, each with its own sign."""
    return tensor.resolve_neg().contiguous()


def in_one_piece(vectors: Shaped[Tensor, "*rows width"]) -> Shaped[Tensor, "*rows width"]:
    """The same with each vector in one piece, and its numbers in memory as they are."""
    if vectors.stride(-1) == 1 and not vectors.is_neg():
        return vectors
    return in_memory(vectors)
