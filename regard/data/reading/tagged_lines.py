"""Lines that carry their labels: fastText, the question classes of TREC, CoNLL's columns."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.tables import Listed, PlacedRow

SAMPLED = 400
"""Lines by which a file is recognized."""
MOST = 0.95
"""Share of them that must have the form."""

_FASTTEXT = re.compile(r"((?:__label__\S+[ \t,]*)+)(.*)")
_TREC = re.compile(r"([A-Z][A-Za-z]{1,10}):(\S+)\s+(.+)")
_TAG = re.compile(r"O|[BIESLU]-\S+")
_NUMBERED = re.compile(r"([+-]?\d{1,2})\s+(\S*[^\W\d]\S*\s.*)")
_WORD_TAG = re.compile(r"(\S+)[/_]([A-Za-z][A-Za-z0-9$*+-]{0,11}|[^\w\s])")
MOST_CLASSES, MOST_TAGS = 10, 400
_DOCUMENT = "-DOCSTART-"

Line = tuple[int, str]


def fasttext(path: Path, encoding: str) -> Listed | None:
    """Lines that begin with `__label__NAME`, once or several times; None for another file."""
    sample = _sample(path, encoding)
    found = [_FASTTEXT.match(line.strip()) for _, line in sample]
    if not found or sum(map(bool, found)) < MOST * len(found):
        return None
    several = any(len(_labels(each[1])) > 1 for each in found if each)

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            match = _FASTTEXT.match(line.strip())
            if match is None:
                raise ValueError(f"{file} line {number}: there is no __label__ at its beginning")
            labels = _labels(match[1])
            yield f"{file} line {number}", (match[2], labels if several else labels[0])

    names = ("text", "labels" if several else "label")
    return Listed(path, names, rows, ("fastText's __label__ lines",))


def trec(path: Path, encoding: str) -> Listed | None:
    """Lines such as `DESC:manner How did serfdom develop ?`; None for another file."""
    sample = _sample(path, encoding)
    found = [_TREC.fullmatch(line.strip()) for _, line in sample]
    coarse = {each[1] for each in found if each}
    # Keys of a configuration are different in every line.
    many = len(coarse) * (4 if len(found) > 20 else 1) >= len(found)
    if len(found) < 2 or not all(found) or many or len(coarse) > 50:
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            match = _TREC.fullmatch(line.strip())
            if match is None:
                raise ValueError(
                    f"{file} line {number}: there is no CLASS:subclass before the text"
                )
            yield f"{file} line {number}", (match[3], match[1], f"{match[1]}:{match[2]}")

    return Listed(
        path, ("text", "label", "fine"), rows, ("TREC's CLASS:subclass before each text",)
    )


def numbered(path: Path, encoding: str) -> Listed | None:
    """Lines that begin with the number of their class, `1 a fine film`; None for another file."""
    sample = _sample(path, encoding)
    found = [_NUMBERED.fullmatch(line.strip()) for _, line in sample]
    classes = [each[1] for each in found if each]
    few = 1 < len(set(classes)) <= MOST_CLASSES and len(set(classes)) * 4 <= len(classes)
    # Verses, steps and the lines of a story are counted.
    counted = sum(int(b) == int(a) + 1 for a, b in pairwise(classes)) > len(classes) / 2
    if not found or not all(found) or not few or counted:
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            match = _NUMBERED.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"{file} line {number}: there is no number of a class before it")
            yield f"{file} line {number}", (match[2], match[1])

    return Listed(path, ("text", "label"), rows, ("the number of its class before each text",))


def slashed(path: Path, encoding: str) -> Listed | None:
    """Sentences whose words have their tags behind a slash, `The/DT dog/NN`; None for others."""
    sample = _sample(path, encoding)
    found = [[_WORD_TAG.fullmatch(word) for word in line.split()] for _, line in sample]
    every = [each for line in found for each in line]
    tags = [each[2] for each in every if each]
    few = len(set(tags)) * 2 <= len(tags) and len(set(tags)) <= MOST_TAGS
    if len(found) < 2 or not all(every) or len(tags) < 2 * len(found) or not few:
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            parts = [_WORD_TAG.fullmatch(word) for word in line.split()]
            if not all(parts):
                raise ValueError(f"{file} line {number}: a word has no tag behind a slash")
            yield (
                f"{file} line {number}",
                ([part[1] for part in parts if part], [part[2] for part in parts if part]),
            )

    return Listed(path, ("words", "tags"), rows, ("a tag behind each word, word/TAG",))


def conll(path: Path, encoding: str) -> Listed | None:
    """A word a line with its tags, sentences apart by blank lines; None for another file.

    Columns are called by their place, but for the first (`words`) and the last (`tags`); CoNLL-U's
    have their own names.
    """
    sample = [line for line in islice(lines(path, encoding), SAMPLED)]
    filled = [_columns(line) for line in sample if line.strip() and not _is_remark(line)]
    widths = {len(row) for row in filled}
    blocks = list(_blocks(enumerate(sample, 1)))
    if len(widths) != 1 or widths == {1} or len(filled) < 4 or not _are_tags(filled):
        return None
    if len(blocks) < 2 and not _has_blank(path, encoding):
        return None
    width = widths.pop()
    universal = width == 10 and filled[0][0].isdigit()
    names = _UNIVERSAL if universal else ("words", *map(str, range(2, width)), "tags")

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, block in _blocks(enumerate(lines(file, encoding), 1)):
            table = [_columns(line) for line in block]
            if universal:  # parts of words, 1-2, and words that are not there, 1.1
                table = [row for row in table if row[0].isdigit()]
            for place, row in enumerate(table):
                if len(row) != width:
                    raise ValueError(
                        f"{file} line {number + place}: {len(row)} columns, where the first line "
                        f"has {width}"
                    )
            if table:
                yield f"{file} line {number}", tuple(list(c) for c in zip(*table, strict=True))

    return Listed(path, names, rows, ("CoNLL's columns, a word a line",))


_UNIVERSAL = ("id", "words", "lemmas", "tags", "xpos", "feats", "head", "deprel", "deps", "misc")


def _are_tags(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the last column holds tags: those of chunks, or few that are written in capitals."""
    last = [row[-1] for row in rows]
    if all(map(_TAG.fullmatch, last)):
        return True
    if len(rows[0]) == 10 and rows[0][0].isdigit():
        return True
    few = len(set(last)) <= 60 and len(set(last)) * 2 <= len(last)
    return few and sum(tag.upper() == tag for tag in last) > 0.9 * len(last)


def _has_blank(path: Path, encoding: str) -> bool:
    return any(not line.strip() for line in islice(lines(path, encoding), 5000))


def _columns(line: str) -> list[str]:
    return line.rstrip().split("\t") if "\t" in line else line.split()


def _is_remark(line: str) -> bool:
    return line.startswith(("# ", "#\t", _DOCUMENT)) or line.strip() == "#"


def _blocks(numbered: Iterable[Line]) -> Iterator[tuple[int, list[str]]]:
    """The lines between blank ones, and the number of the first of them."""
    block: list[str] = []
    first = 1
    for number, line in numbered:
        if line.strip() and not _is_remark(line):
            first = first if block else number
            block.append(line)
        elif block and not line.strip():
            yield first, block
            block = []
    if block:
        yield first, block


def _labels(text: str) -> list[str]:
    return [each for each in re.split(r"[\s,]*__label__", text.strip(" \t,")) if each]


def _sample(path: Path, encoding: str) -> list[Line]:
    return list(islice(_filled(path, encoding), SAMPLED))


def _filled(path: Path, encoding: str) -> Iterator[Line]:
    return ((n, line) for n, line in enumerate(lines(path, encoding), 1) if line.strip())
