"""Recurrent text classifiers: an LSTM or a GRU, and what of its states the answer is read from."""

from regard.models.folder import save
from regard.models.lstm.checkpoint import load
from regard.models.lstm.config import LSTMConfig
from regard.models.lstm.model import LSTM

__all__ = ["LSTM", "LSTMConfig", "load", "save"]
