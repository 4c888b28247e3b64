"""The schema of this task: pictures, and sentences about them."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.image_classify.schema import IMAGE_WORDS

CAPTION_WORDS = "captions description sentence sentences raw comment text alt_text title en"

SCHEMA = Schema(
    "caption",
    (
        Column("image", tuple(IMAGE_WORDS.split()), ColumnKind.IMAGE),
        Column("caption", tuple(CAPTION_WORDS.split())),
        Column("boxes", ("phrases", "regions"), ColumnKind.LIST, optional=True, extra=True),
    ),
    caption_folders=True,
)
