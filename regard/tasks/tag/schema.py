"""The schema of this task: a list of words and a list of their tags in each row."""

from regard.data.schema import Column, ColumnKind, Schema

SCHEMA = Schema(
    "tag",
    (
        Column("words", ("tokens",), ColumnKind.LIST, option="text"),
        # A column called `label` or `pos` is one label of a text as often as not.
        Column(
            "tags", tuple("ner_tags pos_tags chunk_tags upos xpos".split()), ColumnKind.LIST,
            option="label",
        ),
    ),
)  # fmt: skip
