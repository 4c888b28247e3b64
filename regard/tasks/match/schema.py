"""The schema of this task: two columns of sentences and one of labels."""

from regard.data.schema import Column, ColumnKind, Schema

LABELS = """
    labels class category sentiment label_text gold_label is_duplicate quality relation
"""

SCHEMA = Schema(
    "match",
    (
        # The answers to a question may be its right or wrong ones.
        Column(
            "left", tuple("sentence1 text1 premise question1 sentence_a query question".split())
        ),
        Column(
            "right",
            (
                *("sentence2", "text2", "hypothesis", "question2", "sentence_b", "candidate"),
                *("answer", "text", "sentence"),
            ),
        ),
        Column(
            "label",
            tuple(LABELS.split()),
            ColumnKind.LABEL,
        ),
    ),
    twins=True,
)
