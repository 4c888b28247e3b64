"""Answers as positions in their passages, whose words count from 1."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regard.data.encoding.hashed_words import Span, word_spans
from regard.data.encoding.ragged import Ragged

SpansOf = Callable[[str], Sequence[Span]]
"""A function that returns the characters of each position of a text."""
NO_ANSWER = 0
"""The position that means "no answer"."""


def found_at(context: str, answer: str, start: str) -> int | None:
    """The position of an answer in its context: closest to the character `start`, from 0.

    If that is empty, its first occurrence. None if the context does not contain it.

    >>> [found_at("to be or not to be", "be", start) for start in ("16", "15", "")]
    [16, 16, 3]
    >>> found_at("to be", "bee", "3")
    """
    said = int(float(start)) if start.strip() else 0
    found, place = [], context.find(answer)
    while place >= 0:
        found.append(place)
        if place >= said:
            break
        place = context.find(answer, place + 1)
    return min(found, key=lambda place: abs(place - said), default=None)


def words_in(spans: Sequence[Span], first: int, stop: int) -> Span | None:
    """The indices, from 1, of the first and last word that overlap these characters.

    >>> words_in([(0, 2), (3, 5), (5, 6)], 3, 6), words_in([(0, 2), (3, 5)], 2, 3)
    ((2, 3), None)
    """
    begin = bisect_right([end for _, end in spans], first)
    end = bisect_right([start for start, _ in spans], stop - 1)
    return (begin + 1, end) if begin < end else None


def span_of(context: str, answer: str, start: str, places: SpansOf = word_spans) -> list[int]:
    """First and last word of an answer, two zeros for no answer, empty if it cannot be found.

    Spaces around the answer are ignored.

    Args:
        places: returns the characters of each position; by default, the words of the context.

    >>> span_of("Ada lives in  New York.", "New York", ""), span_of("Ada left.", "", "")
    ([4, 5], [0, 0])
    >>> span_of("Ada left.", "Bob", "")
    []
    """
    inner = answer.strip()
    if not inner:
        return [NO_ANSWER, NO_ANSWER]
    place = found_at(context, inner, start)
    if place is None:
        return []
    return list(words_in(places(context), place, place + len(inner)) or ())


def with_spans(
    batch: Mapping[str, list[Any]], first: int, places: SpansOf = word_spans
) -> Mapping[str, list[Any]]:
    """Rows with an additional column: the `span` of each answer."""
    columns = (batch[name] for name in ("context", "answer", "start"))
    rows = zip(*columns, strict=True)
    spans = [span_of(context, answer, start, places) for context, answer, start in rows]
    return {**batch, "span": spans}


class SpanNumbers:
    """Spans as they are: what `with_spans` found.

    >>> SpanNumbers().encode([[4, 5], []]).lengths
    array([2, 0])
    """

    def encode(self, texts: Sequence[Any]) -> Ragged:
        """Each span as a row of two numbers, or of none."""
        return Ragged.of(list(each) for each in texts)
