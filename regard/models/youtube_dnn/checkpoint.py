"""A YouTube candidate generator from a folder."""

from pathlib import Path

from jaxtyping import Int
from torch import Tensor

from regard.models import folder as folders
from regard.models.youtube_dnn.config import YouTubeDNNConfig
from regard.models.youtube_dnn.model import YouTubeDNN


def load(folder: Path, features: Int[Tensor, "items columns"] | None = None) -> YouTubeDNN:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: YouTubeDNN(YouTubeDNNConfig.from_json(text), features))
