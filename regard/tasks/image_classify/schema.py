"""The schema of this task: pictures, and a label for each."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.classify.schema import LABELS

IMAGE_WORDS = "img picture pic photo pixels file_name filename file path filepath image_path"

SCHEMA = Schema(
    "image_classify",
    (
        Column("image", tuple(IMAGE_WORDS.split()), ColumnKind.IMAGE),
        Column("label", (*LABELS.split(), "fine_label", "coarse_label", "breed"), ColumnKind.LABEL),
    ),
    picture_folders=True,
)
