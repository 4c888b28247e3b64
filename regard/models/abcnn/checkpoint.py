"""An ABCNN from a folder."""

from pathlib import Path

from regard.models import folder as folders
from regard.models.abcnn.config import ABCNNConfig
from regard.models.abcnn.model import ABCNN


def load(folder: Path) -> ABCNN:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: ABCNN(ABCNNConfig.from_json(text)))
