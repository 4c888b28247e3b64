"""A hierarchical attention network from a folder."""

from pathlib import Path

from regard.layers import Attend
from regard.models import folder as folders
from regard.models.han.config import HANConfig
from regard.models.han.model import HAN


def load(folder: Path, attend: Attend | None = None) -> HAN:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: HAN(HANConfig.from_json(text), attend))
