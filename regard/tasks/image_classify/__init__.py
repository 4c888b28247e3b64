"""Image classification."""

from regard.tasks.image_classify.coder import LabelledPictures, PicturesAndLabels
from regard.tasks.image_classify.predictor import PictureClassifier
from regard.tasks.image_classify.task import ImageClassify, ImageClassifySettings

__all__ = [
    "ImageClassify",
    "ImageClassifySettings",
    "LabelledPictures",
    "PictureClassifier",
    "PicturesAndLabels",
]
