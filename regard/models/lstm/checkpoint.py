"""A recurrent classifier from a folder."""

from pathlib import Path

from regard.layers import Attend
from regard.models import folder as folders
from regard.models.lstm.config import LSTMConfig
from regard.models.lstm.model import LSTM


def load(folder: Path, attend: Attend | None = None) -> LSTM:
    """Read what `save` wrote, ready for evaluation; raises as `regard.models.folder.load`."""
    return folders.load(folder, lambda text: LSTM(LSTMConfig.from_json(text), attend))
