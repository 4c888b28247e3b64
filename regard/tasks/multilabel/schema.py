"""The schema of this task: a column of texts and one of any number of labels."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.classify.schema import SCHEMA as CLASSIFY

SCHEMA = Schema(
    "multilabel",
    (
        Column("text", CLASSIFY.column("text").words),
        Column(
            "labels",
            tuple("tags genres categories topics classes".split()),
            ColumnKind.LIST,
            option="label",
        ),
    ),
)
