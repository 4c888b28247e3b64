"""An RNNsearch network from a folder."""

from pathlib import Path

from regard._typing import Normalizer, Score
from regard.models import folder as folders
from regard.models.rnnsearch.config import RNNsearchConfig
from regard.models.rnnsearch.model import RNNsearch
from regard.normalizers import softmax


def load(folder: Path, score: Score | None = None, normalizer: Normalizer = softmax) -> RNNsearch:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(
        folder, lambda text: RNNsearch(RNNsearchConfig.from_json(text), score, normalizer)
    )
