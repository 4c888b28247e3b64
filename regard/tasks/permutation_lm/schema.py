"""The schema of this task: a running text."""

from regard.data.schema import AtEnd, Column, Schema

SCHEMA = Schema(
    "permutation_lm",
    (Column("text", ("sentence", "document", "content")),),
    hold_out=AtEnd(0.1),
    unit="characters",
    inferred=False,
    running_text=True,
)
"""Nothing in a text tells whether it is to be read from left to right or in any order."""
