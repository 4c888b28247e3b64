"""The schema of this task: two columns of sentences and one of numbers."""

from regard.data.schema import Column, ColumnKind, Schema
from regard.tasks.match.schema import SCHEMA as MATCH

SCHEMA = Schema(
    "similarity",
    (
        Column("left", MATCH.column("left").words),
        Column("right", MATCH.column("right").words),
        Column(
            "number",
            (
                *("score", "similarity", "similarity_score", "relatedness", "relatedness_score"),
                *("rating", "gold", "gold_score"),
            ),
            ColumnKind.FLOAT,
            option="label",
        ),
    ),
    twins=True,
)
