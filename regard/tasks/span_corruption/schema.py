"""The schema of this task: a running text."""

from regard.data.schema import AtEnd, Column, Schema

SCHEMA = Schema(
    "span_corruption",
    (Column("text", ("sentence", "document", "content")),),
    hold_out=AtEnd(0.1),
    unit="characters",
    inferred=False,
    running_text=True,
)
