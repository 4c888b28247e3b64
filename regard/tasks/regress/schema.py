"""The schema of this task: a column of texts and one of numbers."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.classify.schema import SCHEMA as CLASSIFY

SCHEMA = Schema(
    "regress",
    (
        Column("text", CLASSIFY.column("text").words),
        Column(
            "number",
            tuple("score rating stars grade price".split()),
            ColumnKind.FLOAT,
            option="label",
        ),
    ),
)
