"""Semantic segmentation."""

from regard.tasks.segment.coder import MaskedPictures, PicturesAndMasks
from regard.tasks.segment.predictor import Segmenter
from regard.tasks.segment.task import Segment, SegmentSettings

__all__ = ["MaskedPictures", "PicturesAndMasks", "Segment", "SegmentSettings", "Segmenter"]
