"""A Deep Interest Network from a folder."""

from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from regard.models import folder as folders
from regard.models.din.config import DINConfig
from regard.models.din.model import DIN


def load(folder: Path, features: Int[Tensor, "items columns"] | None = None) -> DIN:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: DIN(DINConfig.from_json(text), features))
