"""The schema of this task: a column of texts and one of labels."""

from regard.data.schema import Column, ColumnKind, Schema

LABELS = "labels class category sentiment label_text gold_label target tag topic intent"

SCHEMA = Schema(
    "classify",
    (
        Column(
            "text",
            tuple("sentence review document content comment tweet message body".split()),
        ),
        Column(
            "label",
            tuple(LABELS.split()),
            ColumnKind.LABEL,
        ),
    ),
    any_two=True,
    label_files=True,
)
