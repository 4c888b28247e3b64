"""Dual attention for segmentation (Fu et al., 2019)."""

from regard.models.danet.config import DANetConfig
from regard.models.danet.convert import from_published, to_published
from regard.models.danet.model import DANet

__all__ = ["DANet", "DANetConfig", "from_published", "to_published"]
