"""Color normalization: by mean and standard deviation for each of red, green and blue."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from regard._io.files import read_json_file, write_whole
from regard._printable import shown
from regard.config import Between, Count, Positive, Share, checked
from regard.models.timm_folder import preprocessing

COLORS, PREPROCESSOR = "colors.json", "preprocessor_config.json"
CONFIG = "config.json"
NAMES = ("red", "green", "blue")
USUAL = 224
"""Height and width of the images of most published networks."""
Part = Annotated[float, Between(above=0.0, most=1.0)]
LEAST = 1 / 255
"""The standard deviation of a constant color."""

Three = tuple[float, float, float]
ColorsOf = Literal["data", "imagenet", "half"]
"""Those of the training data, of ImageNet, or 0.5 each, so that colors range from -1 to 1."""


@dataclass(frozen=True)
class Colors:
    """Mean and standard deviation of each color, where black is 0 and white is 1.

    >>> colors = Colors.of([np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)])
    >>> colors.mean, colors.fill.tolist()
    ((0.5, 0.0, 0.0), [128, 0, 0])
    """

    mean: Three
    deviation: Three

    @classmethod
    def of(cls, pictures: Iterable[np.ndarray]) -> "Colors":
        """The statistics of all pixels of these images."""
        sums, squares, count = np.zeros(3), np.zeros(3), 0
        for each in pictures:
            pixels = each.reshape(-1, 3).astype(np.float64) / 255
            sums, squares = sums + pixels.sum(0), squares + (pixels**2).sum(0)
            count += len(pixels)
        mean = sums / max(1, count)
        deviation = np.sqrt(np.maximum(squares / max(1, count) - mean**2, LEAST**2))
        return cls(_three(mean), _three(deviation))

    @property
    def fill(self) -> UInt8[np.ndarray, " 3"]:
        """The mean color as a pixel value."""
        return np.array([int(255 * each + 0.5) for each in self.mean], dtype=np.uint8)

    def scaled(
        self, pictures: UInt8[np.ndarray, "batch height width 3"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """Normalized images."""
        mean, deviation = (torch.tensor(each) * 255 for each in (self.mean, self.deviation))
        found = (torch.from_numpy(pictures).float() - mean) / deviation
        return found.permute(0, 3, 1, 2).contiguous()

    def save(self, folder: Path) -> list[str]:
        """Write the file, and return its name."""
        write_whole(folder / COLORS, json.dumps(asdict(self)).encode())
        return [COLORS]

    @classmethod
    def load(cls, folder: Path) -> "Colors":
        """Load what `save` wrote; raises `ValueError` when the file is damaged."""
        path = folder / COLORS
        held: Any = read_json_file(path)
        try:
            if not isinstance(held, dict) or held.keys() != {"mean", "deviation"}:
                raise ValueError(f"it has to say mean and deviation, and says {shown(held)}")
            mean = checked("mean", held["mean"], tuple[Share, ...])
            deviation = checked("deviation", held["deviation"], tuple[Positive, ...])
            if len(mean) != 3 or len(deviation) != 3:
                raise ValueError("it has to say 3 numbers for each")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged: {error}; copy the whole run folder again"
            ) from None
        return cls(mean, deviation)


def published_colors(folder: Path) -> Colors:
    """A published network's color normalization; 0.5 where its folder has none.

    From `preprocessor_config.json`, or timm's `config.json`.

    Raises `ValueError` for invalid values.
    """
    path, entries = _preprocessing(folder)
    if not isinstance(entries, dict):
        raise ValueError(f"{path} is no table, but {shown(entries)}")
    if entries.get("do_normalize") is False:
        return Colors((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    usual = KNOWN["half"]
    try:
        mean = checked("image_mean", entries.get("image_mean", usual.mean), tuple[Share, ...])
        found = entries.get("image_std", usual.deviation)
        deviation = checked("image_std", found, tuple[Positive, ...])
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None
    if len(mean) != 3 or len(deviation) != 3:
        raise ValueError(f"{path} has {len(mean)} means and {len(deviation)} deviations, not 3")
    return Colors(_three(np.array(mean)), _three(np.array(deviation)))


def published_sizes(folder: Path, config: Any) -> tuple[int, int]:
    """A published network's input size, and that of the shorter side before the center crop.

    From its positions, or else `preprocessor_config.json` or timm's `config.json`; 224 by default.

    Raises `ValueError` for a network with non-square inputs, and for an invalid size.
    """
    known = getattr(config, "image_size", None)
    if known is not None:
        if known[0] != known[1]:
            raise ValueError(
                f"{folder} reads pictures of {known[0]} by {known[1]}, and the middle of a picture "
                "is square here"
            )
        return known[0], known[0]
    path, entries = _preprocessing(folder)
    size = entries.get("size", USUAL) if isinstance(entries, dict) else None
    if isinstance(size, dict):
        size = size.get("shortest_edge", size.get("height"))
    share = entries.get("crop_pct") or 1.0 if isinstance(entries, dict) else None
    try:
        side = checked("size", size, Count)
        return side, int(side / checked("crop_pct", share, Part))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _preprocessing(folder: Path) -> tuple[Path, Any]:
    """What a published folder says of how pictures are prepared, and the file that says it."""
    path = folder / PREPROCESSOR
    if path.is_file():
        return path, read_json_file(path)
    path = folder / CONFIG
    return path, preprocessing(read_json_file(path)) if path.is_file() else {}


KNOWN = {
    "imagenet": Colors((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": Colors((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""Color normalization of published networks: mostly ImageNet's, 0.5 for vision transformers."""


def _three(numbers: np.ndarray) -> Three:
    red, green, blue = (float(each) for each in numbers)
    return red, green, blue
