"""Columns of nested notes that no task reads: labelled spans of characters, turns of a talk."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from regard.data.reading.literals import list_in

_BEGIN, _END = ("start", "start_offset", "begin"), ("end", "end_offset")
_TURNS = (("role", "parts.text"), ("role", "content"), ("from", "value"), ("speaker", "text"))
_FORMATS = (
    (
        frozenset(("chosen", "rejected")),
        "holds preferences (chosen, rejected), which are not read as such; name what is to be "
        "learned, such as --source prompt --target chosen",
    ),
    (
        frozenset(("parent_id", "role", "text")),
        "holds conversations whose turns point at each other (parent_id), which are not read; "
        'write what is said and what is answered: {"source": "Hi", "target": "Hello"}',
    ),
    (
        frozenset(("supporting_facts", "context", "question")),
        "holds questions on several paragraphs (HotpotQA), which are not read; write context, "
        "question and answer for each, with the paragraphs joined",
    ),
    (
        frozenset(("passage", "qa_pairs.question")),
        "holds questions whose answers are counted (DROP), which are not read; write context, "
        "question and answer for each that has a span",
    ),
    (
        frozenset(("story_text", "answer_char_ranges")),
        "holds answers as ranges of characters (NewsQA), which are not read; write context, "
        "question and answer for each",
    ),
    *(
        (
            frozenset(names),
            f"holds messages of a chat ({tool}), which are not read; write text and label, or what "
            'is said and what is answered: {"source": "Hi", "target": "Hello"}',
        )
        for tool, names in (
            ("Slack", ("user", "text", "ts")),
            ("Discord", ("content", "author.id", "timestamp")),
            ("Telegram", ("from_id", "text", "date")),
            ("Messenger", ("sender_name", "content", "timestamp_ms")),
        )
    ),
    (
        frozenset(("log.text",)),
        "holds talks with their states (MultiWOZ), which are not read; write what is said and what "
        'is answered: {"source": "Hi", "target": "Hello"}',
    ),
    (
        frozenset(("passage.text", "passage.questions.question")),
        "holds several questions on each text, with their answers (MultiRC), which are not read; "
        "write a row for each answer: text and question, the answer, and 1 or 0",
    ),
    (
        frozenset(("text", "target.span1_text", "target.span2_text")),
        "asks whether two words of a text mean the same (WSC), which is not read; write the two "
        "words into the text, and name --text and --label",
    ),
    (
        frozenset(("document_text", "question_text")),
        "holds Natural Questions with their pages, which are not read; write context, question "
        "and answer for each",
    ),
)
"""Columns by which files of tools and of benchmarks are known."""
_LEAST = 0.9
"""Share of the lists that must be of spans."""


def span_columns(values: Mapping[str, Sequence[Any]]) -> tuple[str, ...]:
    """The columns that hold spans: lists of `[0, 4, "PER"]`, or of objects that begin and end.

    >>> span_columns({"text": ["Anna is here"], "label": [[[0, 4, "PER"]]]})
    ('label',)
    >>> span_columns({"e.start": [[0]], "e.end": [[4]], "e.label": [["PER"]], "n": [1]})
    ('e.start', 'e.end', 'e.label')
    """
    found = [name for name, some in values.items() if _are_spans(some)]
    for name in values:
        group, _, last = name.rpartition(".")
        if group and last in _BEGIN and any(f"{group}.{end}" in values for end in _END):
            found += [each for each in values if each.rpartition(".")[0] == group]
    return tuple(dict.fromkeys(found))


def unread(values: Mapping[str, Sequence[Any]]) -> tuple[tuple[str, ...], str]:
    """Such columns, and what they are with the way out; empty where there are none.

    >>> unread({"chat.role": [["user", "assistant"]], "chat.content": [["So?", "Yes."]]})[0]
    ('chat.role', 'chat.content')
    """
    spans = span_columns(values)
    if spans:
        return spans, (
            f"marks spans of characters ({', '.join(spans)}), which are not read; write a word and "
            "its tag on each line (CoNLL), or name the columns of text and label"
        )
    for who, what in _TURNS:
        for name in values:
            group, _, last = name.rpartition(".")
            turns = (name, f"{group}.{what}")
            if group and last == who and turns[1] in values:
                return turns, (
                    f"holds conversations ({', '.join(turns)}), which are not read turn by turn; "
                    'write what is said and what is answered: {"source": "Hi", "target": "Hello"}'
                )
    for needed, what in _FORMATS:
        if needed <= {*values}:
            return tuple(needed), what
    if {"prompt", "completion", "label"} <= {*values}:
        if {str(each).lower() for each in values["label"]} <= {"true", "false", "0", "1"}:
            return ("completion",), (
                "says in 'label' which answers were good ones, which is not read; keep the rows of "
                "these, and name --source prompt --target completion"
            )
    plain = all(map(str.isdigit, values))
    if plain and any(_are_lines(some) for some in values.values()):
        return tuple(values), (
            "holds the lines of films with who speaks them (Cornell), which are not read; write "
            "what is said and what is answered, with a tab between, and call it .tsv"
        )
    shown = next((name for name, some in values.items() if _are_shown(some)), None)
    if shown is not None:
        return tuple(values), (
            f"says behind each item whether it was chosen ({shown}, as MIND does), which is not "
            "read; write user,item for what was chosen, in order"
        )
    said = {str(each) for each in values.get("answer", ())}
    if "reject" in said and said <= {"accept", "reject", "ignore"}:
        return tuple(values), (
            "says in 'answer' which labels were rejected (Prodigy), which is not read; keep the "
            "rows that say accept, and name the columns (--text, --label)"
        )
    return (), ""


def _are_lines(values: Sequence[Any]) -> bool:
    return len(values) > 1 and all(re.fullmatch(r"L\d+", str(value)) for value in values)


def _are_shown(values: Sequence[Any]) -> bool:
    """Whether cells hold items with 1 or 0 behind each, `N55689-1 N35729-0`."""
    words = [word for value in values for word in str(value).split()]
    several = len(words) > len(values) > 1
    return several and all(re.fullmatch(r"\w+-[01]", word) for word in words)


def is_span(value: Any) -> bool:
    """Whether a value is where a span begins and ends, and its label."""
    if isinstance(value, dict):
        return any(begin in value for begin in _BEGIN) and any(end in value for end in _END)
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return False
    begin, end, label = value
    return isinstance(begin, int) and isinstance(end, int) and isinstance(label, str)


def _are_spans(values: Sequence[Any]) -> bool:
    found = (list_in(each) if isinstance(each, str) else each for each in values)
    lists = [each for each in found if isinstance(each, (list, tuple)) and each]
    spans = sum(all(map(is_span, each)) for each in lists)
    return bool(lists) and spans >= _LEAST * len(lists)
