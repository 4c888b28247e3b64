"""The file formats of SQuAD and CoQA: texts with questions, and where in them the answers stand.

References:
    Siva Reddy, Danqi Chen, Christopher D. Manning. CoQA: A Conversational Question Answering
    Challenge. TACL 2019. https://aclanthology.org/Q19-1016/
    Pranav Rajpurkar, Robin Jia, Percy Liang. Know What You Don't Know: Unanswerable Questions for
    SQuAD. ACL 2018. https://aclanthology.org/P18-2124/
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from regard.data.reading.tables import Listed, PlacedRow

_COQA = "CoQA's stories and questions, each without those before it; answers are words of a story"
NAMES = ("context", "question", "answer", "start", "answers")


def squad(path: Path, document: Any) -> Listed | None:
    """The questions in such a document, None for another one.

    A question without an answer has an empty one; where several people answered, the first is the
    answer and `answers` has all.

    Raises `ValueError` naming the paragraph for one that lacks what it must have.
    """
    articles = document.get("data") if isinstance(document, dict) else document
    if isinstance(articles, list) and _is_coqa(articles):
        return Listed(path, NAMES, lambda file: _turns(articles, file), (_COQA,))
    if not isinstance(articles, list) or not articles or not _is_article(articles[0]):
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, article in enumerate(articles, 1):
            paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
            if not isinstance(paragraphs, list):
                raise ValueError(f"{file} article {number} has no list of paragraphs")
            for place, paragraph in enumerate(paragraphs, 1):
                where = f"{file} article {number} paragraph {place}"
                yield from ((where, row) for row in _questions(paragraph, where))

    return Listed(path, NAMES, rows, ("SQuAD's paragraphs and questions",))


def _is_article(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("paragraphs"), list)


def _is_coqa(stories: Sequence[Any]) -> bool:
    first = stories[0] if stories else None
    return isinstance(first, dict) and {"story", "questions", "answers"} <= {*first}


def _turns(stories: Sequence[Any], file: Path) -> Iterator[PlacedRow]:
    """The questions of CoQA, each with the words of the story that answer it."""
    for number, each in enumerate(stories, 1):
        where = f"{file} story {number}"
        try:
            turns = zip(each["questions"], each["answers"], strict=True)
            for asked, found in turns:
                start, text = found["span_start"], found["span_text"]
                kept = text.strip() if start >= 0 else ""
                begin = start + len(text) - len(text.lstrip()) if kept else None
                row = (each["story"], asked["input_text"], kept, begin, [kept] if kept else [])
                yield where, row
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{where} is none of CoQA: {error}") from None


def _questions(paragraph: Any, where: str) -> Iterator[tuple[Any, ...]]:
    try:
        context, asked = paragraph["context"], paragraph["qas"]
        for each in asked:
            found = each.get("answers") or []
            texts = [answer["text"] for answer in found]
            starts = [answer["answer_start"] for answer in found]
            yield (context, each["question"], *first_of(texts, starts), texts)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where} lacks {error}: it has a context and qas") from None


def first_of(texts: Sequence[Any], starts: Sequence[Any]) -> tuple[Any, Any]:
    """The first answer and where it starts, empty where there is none."""
    return (texts[0], starts[0] if starts else None) if texts else ("", None)


def flat_answers(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A row of SQuAD as the hub has it, `answers.text` and `answers.answer_start`, as `NAMES`.

    >>> flat_answers({"question": "So?", "answers.text": ["yes"], "answers.answer_start": [3]})
    {'question': 'So?', 'answer': 'yes', 'start': 3, 'answers': ['yes']}
    """
    kept = {k: v for k, v in entry.items() if not k.startswith("answers.")}
    texts, starts = entry.get("answers.text"), entry.get("answers.answer_start")
    texts = texts if isinstance(texts, list) else []
    answer, start = first_of(texts, starts if isinstance(starts, list) else [])
    return {**kept, "answer": answer, "start": start, "answers": texts}
