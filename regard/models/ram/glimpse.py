"""A glimpse of an image around a location: patches, the wider ones coarser."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu


def patches(
    images: Float[Tensor, "batch channels height width"],
    places: Float[Tensor, "batch 2"],
    size: int,
    count: int = 1,
    scale: int = 2,
) -> Float[Tensor, "batch count channels size size"]:
    """Patches around a location in each image, each `scale` times as wide as the last.

    All have `size` pixels per side; pixels of wider ones are averages over the image. Locations
    between pixels are interpolated, and everything outside of the image is zero.

    Args:
        places: row and column of the centers, from -1 (the upper or left edge) to 1.

    >>> image = torch.arange(16.0).reshape(1, 1, 4, 4)
    >>> patches(image, torch.zeros(1, 2), size=2, count=2)
    tensor([[[[[ 5.0000,  6.0000],
               [ 9.0000, 10.0000]]],
    <BLANKLINE>
    <BLANKLINE>
             [[[ 2.5000,  4.5000],
               [10.5000, 12.5000]]]]])
    """
    found = []
    for number in range(count):
        down, across = (
            filters(places[:, axis], images.shape[2 + axis], size, scale**number).to(images.dtype)
            for axis in (0, 1)
        )
        rows = torch.einsum("b i h, b c h w -> b c i w", down, images)
        found.append(torch.einsum("b c i w, b j w -> b c i j", rows, across))
    return torch.stack(found, 1)


def filters(
    places: Float[Tensor, " batch"], length: int, size: int, step: int
) -> Float[Tensor, "batch size length"]:
    """The weights of `length` image pixels for each of `size` pixels of a patch.

        1/step Σ_s max(0, 1 - |pixel - (middle + offset_s)|)

    >>> filters(torch.zeros(1), length=4, size=2, step=1)
    tensor([[[0., 1., 0., 0.],
             [0., 0., 1., 0.]]])
    """
    # In half precision the pixels of large images could not be told apart.
    middles = (places.to(torch.promote_types(places.dtype, torch.float32)) + 1) * length / 2 - 0.5
    wide = size * step
    offsets = torch.arange(wide, device=places.device, dtype=middles.dtype) - (wide - 1) / 2
    pixels = torch.arange(length, device=places.device, dtype=middles.dtype)
    apart = pixels - (middles[:, None, None] + offsets[:, None])
    near = (1 - apart.abs()).clamp_min(0)
    return rearrange(near, "b (size step) length -> b size step length", step=step).mean(2)


class GlimpseNetwork(nn.Module):
    """Glimpse and location as one vector: `relu(W_1 relu(W_p p) + W_2 relu(W_l l))`."""

    def __init__(self, reads: int, hidden_dim: int, embed_dim: int) -> None:
        super().__init__()
        self.seen, self.place = nn.Linear(reads, hidden_dim), nn.Linear(2, hidden_dim)
        self.what, self.where = nn.Linear(hidden_dim, embed_dim), nn.Linear(hidden_dim, embed_dim)

    def forward(
        self, seen: Float[Tensor, "batch reads"], places: Float[Tensor, "batch 2"]
    ) -> Float[Tensor, "batch embed_dim"]:
        what = self.what(relu(self.seen(seen)))
        return relu(what + self.where(relu(self.place(places))))
