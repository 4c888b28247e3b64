"""The schema of this task: two columns of text."""

from regard.data.schema import Column, Schema

SCHEMA = Schema(
    "translate",
    (
        Column("source", ("src", "input", "instruction", "prompt")),
        Column("target", ("tgt", "output", "response", "completion")),
    ),
    between=" -> ",
    any_two=True,
    parallel=True,
)
