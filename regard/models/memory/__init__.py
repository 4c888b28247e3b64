"""End-to-end memory networks (Sukhbaatar et al., 2015): attention in several hops."""

from regard.models.memory.config import (
    BagOfWords,
    HardReading,
    MemoryConfig,
    OfficialPositionEncoding,
    PositionEncoding,
    SoftReading,
)
from regard.models.memory.model import MemoryNetwork

__all__ = [
    "BagOfWords",
    "HardReading",
    "MemoryConfig",
    "MemoryNetwork",
    "OfficialPositionEncoding",
    "PositionEncoding",
    "SoftReading",
]
