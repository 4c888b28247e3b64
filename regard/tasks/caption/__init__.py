"""Image captioning."""

from regard.tasks.caption.coder import CaptionedPictures, PicturesAndCaptions
from regard.tasks.caption.predictor import PictureCaptioner
from regard.tasks.caption.task import Caption, CaptionSettings

__all__ = [
    "Caption",
    "CaptionSettings",
    "CaptionedPictures",
    "PictureCaptioner",
    "PicturesAndCaptions",
]
