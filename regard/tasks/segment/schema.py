"""The schema of this task: pictures, and a mask for each."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.image_classify.schema import IMAGE_WORDS

MASK_WORDS = "segmentation annotation trimap masks seg ground_truth mask_path label_image"

SCHEMA = Schema(
    "segment",
    (
        Column("image", tuple(IMAGE_WORDS.split()), ColumnKind.IMAGE),
        # Networks have an option `mask`, of their attention.
        Column("mask", tuple(MASK_WORDS.split()), ColumnKind.IMAGE, option="masks"),
    ),
    mask_folders=True,
)
