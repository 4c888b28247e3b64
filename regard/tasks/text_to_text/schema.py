"""What the data of this task looks like: two columns of text."""

from regard.data.schema import Column, Schema

SCHEMA = Schema(
    "text_to_text",
    (
        Column("input", ("source", "src", "article", "document", "dialogue", "text")),
        Column("output", ("target", "tgt", "summary", "highlights")),
    ),
    between=" -> ",
    any_two=True,
    inferred=False,
)
