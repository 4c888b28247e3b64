"""A memory network from a folder."""

from pathlib import Path

from regard._typing import Normalizer, Score
from regard.models import folder as folders
from regard.models.memory.config import MemoryConfig
from regard.models.memory.model import MemoryNetwork
from regard.normalizers import softmax


def load(
    folder: Path, score: Score | None = None, normalizer: Normalizer = softmax
) -> MemoryNetwork:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(
        folder, lambda text: MemoryNetwork(MemoryConfig.from_json(text), score, normalizer)
    )
