"""End-to-end memory networks (Sukhbaatar et al., 2015): attention that hops from fact to fact."""

from regard.models.folder import save
from regard.models.memory.checkpoint import load
from regard.models.memory.config import MemoryConfig
from regard.models.memory.model import MemoryNetwork

__all__ = ["MemoryConfig", "MemoryNetwork", "load", "save"]
