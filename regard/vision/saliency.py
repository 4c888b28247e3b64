"""Bottom-up saliency without learning: contrast, at several scales."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from regard.vision._checks import require_counts

ANGLES = (0, 45, 90, 135)
"""Orientations in degrees: the angle of a bar from the horizontal, counterclockwise."""

Pyramid = list[Tensor]
Contrasts = Callable[[Tensor, Tensor], list[Tensor]]
"""The features compared between a center and its surround."""


class Saliency(nn.Module):
    """The saliency map of an image: where intensity, color or orientation differ from the surround.

        F(c, s) = |F(c) - F(s)|                     c in {2, 3, 4},  s = c + {3, 4}
        S = (N(I) + N(C) + N(O)) / 3                each a sum of N(F(c, s)) at the scale of 4

    `F(c)` is a feature at scale `c` of a pyramid, 1 / 2^c of the image: intensity, red against
    green, blue against yellow, and the energy of Gabor filters of four angles, 42 maps in all. `N`
    favors maps with a single peak: scaled to 0 to 1, times `(1 - m)^2`, `m` the mean of all peaks
    but the highest. Peaks are places above their eight neighbors that reach a tenth of the highest,
    as in the authors' code; the paper has no such threshold. The map is differentiable almost
    everywhere.

    Args:
        centers: scales of the center.
        deltas: how much coarser the scales of the surround are.
        variant: "paper" takes color opponency as printed, `|(R - G)(c) - (G - R)(s)|`, a sum by
            which a red object among green ones does not stand out; "signed", the default, takes
            the positive and the negative part of `(R - G)(c) - (R - G)(s)` separately, so that it
            does.

    Raises:
        ValueError: images that are not `[batch, 3, height, width]`, or smaller than the coarsest
            scale, 256 pixels in height and width.
        TypeError: images that are not floating-point.

    Example:
        >>> image = torch.full((1, 3, 256, 256), 0.5)
        >>> image[:, 0, 160:176, 96:112] = 1.0
        >>> saliency = Saliency()
        >>> saliency(image).shape
        torch.Size([1, 1, 16, 16])
        >>> scanpath(saliency(image), 1)[0] * 16
        tensor([[160,  96]])

    References:
        Itti, Koch, Niebur. A Model of Saliency-Based Visual Attention for Rapid Scene Analysis.
        1998. https://doi.org/10.1109/34.730558
    """

    gabor: Tensor

    def __init__(
        self,
        centers: Sequence[int] = (2, 3, 4),
        deltas: Sequence[int] = (3, 4),
        variant: Literal["signed", "paper"] = "signed",
    ) -> None:
        super().__init__()
        if variant not in ("signed", "paper"):
            raise ValueError(f'Saliency knows variant="signed" and "paper", got {variant!r}')
        self.variant = variant
        self.centers, self.deltas = tuple(centers), tuple(deltas)
        if not self.centers or not self.deltas:
            raise ValueError("Saliency needs at least one of centers and one of deltas")
        require_counts("Saliency", **{f"centers[{n}]": c for n, c in enumerate(self.centers)})
        require_counts("Saliency", **{f"deltas[{n}]": d for n, d in enumerate(self.deltas)})
        self.scales = max(self.centers) + max(self.deltas) + 1
        self.register_buffer("gabor", gabor_filters(), persistent=False)

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 1 rows columns"]:
        """The map, at the coarsest scale of `centers`; images range from 0 to 1."""
        maps = [_promoted(each) for each in self.conspicuity(images).values()]
        return torch.stack(maps).mean(0)

    def conspicuity(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        """The conspicuity maps of `intensity`, `colour` and `orientation`."""
        self._require_fit(images)
        red, green, blue = images.unbind(1)
        intensity = images.mean(1, keepdim=True)
        hues = _hues(torch.stack([red, green, blue], 1), intensity)
        greys, colours = self._pyramid(intensity), self._pyramid(hues)
        oriented = [self._energy(each) for each in greys]
        by_angle = [[each[:, n : n + 1] for each in oriented] for n in range(len(ANGLES))]
        red_green = [each[:, 0:1] - each[:, 1:2] for each in colours]
        blue_yellow = [each[:, 2:3] - each[:, 3:4] for each in colours]
        return {
            "intensity": self._across(greys, _size),
            "colour": self._across(red_green, self._opponents)
            + self._across(blue_yellow, self._opponents),
            "orientation": torch.stack(
                [_promoted(self._across(each, _size)) for each in by_angle]
            ).sum(0),
        }

    def _opponents(self, center: Tensor, around: Tensor) -> list[Tensor]:
        """How two colours differ, both ways: the sign says which of the two is in the centre."""
        if self.variant == "paper":
            return [(center + around).abs()]
        return [(center - around).clamp(min=0), (around - center).clamp(min=0)]

    def _pyramid(self, maps: Tensor) -> Pyramid:
        found = [maps]
        for _ in range(self.scales - 1):
            found.append(_halved(found[-1]))
        return found

    def _energy(self, grey: Tensor) -> Tensor:
        """Size of the answer of each angle's pair of Gabor filters, `[batch, angles, ...]`."""
        margin = self.gabor.shape[-1] // 2
        padded = F.pad(grey, [margin] * 4, mode="replicate")
        even, odd = F.conv2d(padded, self.gabor.to(grey.dtype)).chunk(2, dim=1)
        # The square root of 0 has no derivative.
        return (even.square() + odd.square() + 1e-12).sqrt()

    def _across(self, pyramid: Pyramid, contrasts: Contrasts) -> Tensor:
        """The sum of all contrasts between scales, each with its single peaks promoted."""
        rows, columns = pyramid[max(self.centers)].shape[-2:]
        total: list[Tensor] = []
        for center in self.centers:
            for delta in self.deltas:
                fine, coarse = pyramid[center], pyramid[center + delta]
                around = F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear")
                for each in contrasts(fine, around):
                    total.append(F.adaptive_avg_pool2d(_promoted(each), (rows, columns)))
        return torch.stack(total).sum(0)

    def _require_fit(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                f"Saliency reads images [batch, 3, height, width], got {[*images.shape]}"
            )
        if not images.is_floating_point():
            raise TypeError(
                f"Saliency reads numbers from 0 to 1, got {images.dtype}; divide by 255"
            )
        least = 2 ** (self.scales - 1)
        if min(images.shape[-2:]) < least:
            raise ValueError(
                f"Saliency compares {self.scales} scales, which images of at least {least} x "
                f"{least} have; got {images.shape[-2]} x {images.shape[-1]}: enlarge them, or take "
                "smaller centers and deltas"
            )

    def extra_repr(self) -> str:
        return f"{self.centers}, {self.deltas}, variant={self.variant!r}"


def scanpath(
    saliency: Float[Tensor, "batch 1 rows columns"], count: int, radius: float = 1 / 6
) -> Tensor:
    """The places fixated in sequence, `[batch, count, 2]` rows and columns.

    The most salient place wins; places within `radius`, a fraction of the map's smaller side, are
    then inhibited.

    >>> scanpath(torch.tensor([[[[0.0, 0.9, 1.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]]]), 2, 0.4)
    tensor([[[0, 2],
             [2, 0]]])
    """
    require_counts("scanpath", count=count)
    left = saliency[:, 0].detach().clone()
    rows, columns = left.shape[-2:]
    row, column = torch.meshgrid(
        torch.arange(rows, device=left.device),
        torch.arange(columns, device=left.device),
        indexing="ij",
    )
    found = []
    for _ in range(count):
        winner = left.flatten(1).argmax(1)
        at_row, at_column = winner // columns, winner % columns
        found.append(torch.stack([at_row, at_column], -1))
        away = (row - at_row[:, None, None]) ** 2 + (column - at_column[:, None, None]) ** 2
        left = left.masked_fill(away <= (radius * min(rows, columns)) ** 2, -math.inf)
    return torch.stack(found, 1)


def gabor_filters(wavelength: float = 4.0, width: float = 2.0) -> Float[Tensor, "filters 1 h w"]:
    """Even filters of each angle, then odd ones: a wave across a bar, under a Gaussian envelope.

    Even filters have their mean subtracted, so that uniform brightness gives no response.
    """
    reach = math.ceil(3 * width)
    line = torch.arange(-reach, reach + 1, dtype=torch.float64)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    faded = torch.exp(-(x**2 + y**2) / (2 * width**2))
    even, odd = [], []
    for degrees in ANGLES:
        angle = math.radians(degrees)
        across = 2 * math.pi / wavelength * (y * math.cos(angle) - x * math.sin(angle))
        wave = torch.cos(across)
        even.append(faded * (wave - (faded * wave).sum() / faded.sum()) / faded.sum())
        odd.append(faded * torch.sin(across) / faded.sum())
    return torch.stack([*even, *odd])[:, None].float()


def _size(center: Tensor, around: Tensor) -> list[Tensor]:
    return [(center - around).abs()]


def _hues(colours: Tensor, intensity: Tensor) -> Tensor:
    """Red, green, blue and yellow without brightness, where there is enough to tell a colour."""
    bright = intensity > intensity.amax((2, 3), keepdim=True) / 10
    shares = torch.where(bright, colours / torch.where(bright, intensity, 1.0), 0.0)
    red, green, blue = shares.unbind(1)
    found = [
        red - (green + blue) / 2,
        green - (red + blue) / 2,
        blue - (red + green) / 2,
        (red + green) / 2 - (red - green).abs() / 2 - blue,
    ]
    return torch.stack(found, 1).clamp(min=0)


def _halved(maps: Tensor) -> Tensor:
    """Blurred by `[1 4 6 4 1] / 16` in both directions, every second place kept."""
    channels = maps.shape[1]
    kernel = maps.new_tensor([1, 4, 6, 4, 1]) / 16
    across = kernel.expand(channels, 1, 1, 5)
    padded = F.pad(maps, [2, 2, 2, 2], mode="replicate")
    rows = F.conv2d(padded, across, stride=(1, 2), groups=channels)
    return F.conv2d(rows, across.mT, stride=(2, 1), groups=channels)


def _promoted(maps: Tensor) -> Tensor:
    """`N`: maps from 0 to 1, those with many peaks alike made faint."""
    low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    spread = high - low
    # A contrast that no image of 8 bits has is rounding, and is not made large.
    flat = spread <= 1e-5
    scaled = torch.where(flat, 0.0, (maps - low) / torch.where(flat, 1.0, spread))
    peaks = (scaled == F.max_pool2d(scaled, 3, stride=1, padding=1)) & (scaled >= 0.1)
    others = peaks & (scaled < 1)
    mean = (scaled * others).sum((2, 3), keepdim=True) / others.sum((2, 3), keepdim=True).clamp(1)
    return scaled * (1 - mean).square()
