"""The attentive reader (Chen et al., 2017): the answer to a question is a span of a passage."""

from regard.models.attentive_reader.config import Alignment, AttentiveReaderConfig
from regard.models.attentive_reader.model import AttentiveReader

__all__ = ["Alignment", "AttentiveReader", "AttentiveReaderConfig"]
