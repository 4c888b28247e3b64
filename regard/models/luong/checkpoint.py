"""Luong's network from a folder."""

from pathlib import Path

from regard._typing import Normalizer
from regard.models import folder as folders
from regard.models.luong.config import LuongConfig
from regard.models.luong.model import Luong
from regard.normalizers import softmax


def load(folder: Path, normalizer: Normalizer = softmax) -> Luong:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: Luong(LuongConfig.from_json(text), normalizer))
