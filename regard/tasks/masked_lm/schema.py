"""The schema of this task: a running text."""

from regard.data.schema import AtEnd, Column, Schema

SCHEMA = Schema(
    "masked_lm",
    (
        Column(
            "text",
            tuple("sentence review document content comment tweet message body".split()),
        ),
    ),
    hold_out=AtEnd(0.1),
    unit="characters",
    running_text=True,
    inferred=False,
)
