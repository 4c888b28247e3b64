"""Sequence tagging."""

from regard.tasks.tag.predictor import Tagger
from regard.tasks.tag.task import Tag, TagSettings

__all__ = ["Tag", "TagSettings", "Tagger"]
