"""The schema of this task: two columns of text."""

from regard.data.schema import Column, Schema

SCHEMA = Schema(
    "text_to_text",
    (
        Column("input", ("source", "src", "article", "document", "dialogue"), option="source"),
        Column("output", ("target", "tgt", "summary", "highlights"), option="target"),
    ),
    between=" -> ",
    any_two=True,
    inferred=False,
)
