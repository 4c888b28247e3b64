"""The schema of this task: stories, questions, answers, and what supports them."""

from regard.data.schema import ByHash, Column, ColumnKind, Schema

SCHEMA = Schema(
    "answer",
    (
        Column(
            "story",
            tuple("context passage kontext absatz contexte contexto geschichte".split()),
            option="context",
        ),
        Column("question", ("frage", "pregunta")),
        Column("answer", tuple("antwort réponse respuesta".split()), kind=ColumnKind.LABEL),
        Column("support", ("supporting",), optional=True),
    ),
    # What is asked later in a story stands on the same side.
    hold_out=ByHash(first_line=True),
    streams=False,
    babi=True,
)
