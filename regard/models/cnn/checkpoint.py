"""A convolutional classifier from a folder."""

from pathlib import Path

from regard.layers import Attend
from regard.models import folder as folders
from regard.models.cnn.config import CNNConfig
from regard.models.cnn.model import CNN


def load(folder: Path, attend: Attend | None = None) -> CNN:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: CNN(CNNConfig.from_json(text), attend))
