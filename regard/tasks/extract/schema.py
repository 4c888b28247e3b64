"""The schema of this task: passages, questions, and answers that stand in them."""

from regard.data.schema import Column, ColumnKind, Schema

SCHEMA = Schema(
    "extract",
    (
        Column("context", ("passage", "paragraph", *"kontext absatz contexte contexto".split())),
        Column("question", ("frage", "pregunta", "query")),
        # Empty where the passage does not answer the question.
        Column(
            "answer",
            tuple("answer_text antwort réponse respuesta".split()),
            blank=True,
            within="context",
        ),
        # The character of the passage at which the answer begins, counted from 0.
        Column("start", ("answer_start",), ColumnKind.NUMBER, optional=True, telling=True),
        # All answers that are right, where there are several.
        Column("answers", kind=ColumnKind.LIST, optional=True, telling=True),
    ),
)
