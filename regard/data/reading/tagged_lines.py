"""Lines that carry their labels: fastText, the question classes of TREC, CoNLL's columns."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

from regard.data.reading.lines import lines
from regard.data.reading.tables import Listed, PlacedRow

SAMPLED = 400
"""Lines by which a file is recognized."""
MOST, HALF = 0.95, 0.5
"""Shares of them that must have the form; half, where nothing else has it."""

_PREFIX = re.compile(r"(?:^|(?<=[\s,]))__[^\W_]+__(?=\S)")
"""What stands before the labels of fastText: `__label__`, or as its option `-label` says."""
_TREC = re.compile(r"([A-Z][A-Za-z]{1,10}):(\S+)\s+(.+)")
_TAG = re.compile(r"O|[BIESLU]-\S+")
_NUMBERED = re.compile(r"([+-]?\d{1,2})\s+(\S*[^\W\d]\S*\s.*)")
_CAPTION = re.compile(r"(\S+\.(?:jpe?g|png|gif|bmp|webp))#[0-9]+\s+(\S.*)", re.IGNORECASE)
_WORD_TAG = re.compile(r"(\S+)[/_]([A-Za-z][A-Za-z0-9$*+-]{0,11}|[^\w\s])")
MOST_CLASSES, MOST_TAGS = 10, 400
_WORD_NAMES = frozenset("word words token tokens form text".split())
_TAG_NAMES = frozenset("tag tags ner ner_tag ner_tags label labels pos pos_tag iob bio".split())
_DOCUMENT = "-DOCSTART-"
_FEW_DOCUMENTS = 20
"""Times that other words are more different than names of documents."""

Line = tuple[int, str]


def fasttext(path: Path, encoding: str) -> Listed | None:
    """Lines with `__label__NAME` in them, once or several times; None for another file."""
    sample = [line for _, line in _sample(path, encoding)]
    prefixes = Counter(found[0] for line in sample if (found := _PREFIX.search(line)))
    prefix, count = prefixes.most_common(1)[0] if prefixes else ("", 0)
    if count < HALF * len(sample) or not count:
        return None
    label = re.compile(rf"[\s,]*{prefix}((?:(?!{prefix})\S)+)[ \t,]*")
    several = any(len(label.findall(line)) > 1 for line in sample)

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            labels = [each.rstrip(",") for each in label.findall(line)]
            if not labels:
                raise ValueError(f"{file} line {number}: there is no {prefix} on it")
            text = label.sub(" ", line).strip()
            yield f"{file} line {number}", (text, labels if several else labels[0])

    names = ("text", "labels" if several else "label")
    return Listed(path, names, rows, (f"fastText's {prefix} lines",))


def trec(path: Path, encoding: str) -> Listed | None:
    """Lines such as `DESC:manner How did serfdom develop ?`; None for another file."""
    sample = _sample(path, encoding)
    found = [_TREC.fullmatch(line.strip()) for _, line in sample]
    coarse = {each[1] for each in found if each}
    # Keys of a configuration are different in every line.
    many = len(coarse) * (4 if len(found) > 20 else 1) >= len(found)
    if len(found) < 2 or not _most(found) or many or len(coarse) > 50:
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
    if any(line.strip().count("\t") > 1 for _, line in sample):
        return None  # These are cells of a table.
    found = [_NUMBERED.fullmatch(line.strip()) for _, line in sample]
    classes = [each[1] for each in found if each]
    few = 1 < len(set(classes)) <= MOST_CLASSES and len(set(classes)) * 4 <= len(classes)
    # Verses, steps and the lines of a story are counted.
    counted = sum(int(b) == int(a) + 1 for a, b in pairwise(classes)) > len(classes) / 2
    if not found or not _most(found) or not few or counted:
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            match = _NUMBERED.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"{file} line {number}: there is no number of a class before it")
            yield f"{file} line {number}", (match[2], match[1])

    return Listed(path, ("text", "label"), rows, ("the number of its class before each text",))


def captioned(path: Path, encoding: str) -> Listed | None:
    """Lines such as `1_a.jpg#0`, a tab and a caption, as Flickr8k has them; None for others."""
    sample = _sample(path, encoding)
    if len(sample) < 2 or not _most([_CAPTION.fullmatch(line.strip()) for _, line in sample]):
        return None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, line in _filled(file, encoding):
            match = _CAPTION.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"{file} line {number}: there is no picture#0 and its caption")
            yield f"{file} line {number}", (match[1], match[2])

    return Listed(path, ("image", "caption"), rows, ("Flickr's picture#0 before each caption",))


def slashed(path: Path, encoding: str) -> Listed | None:
    """Sentences whose words have their tags behind a slash, `The/DT dog/NN`; None for others."""
    sample = _sample(path, encoding)
    found = [[_WORD_TAG.fullmatch(word) for word in line.split()] for _, line in sample]
    tags = [each[2] for line in found for each in line if each]
    few = len(set(tags)) * 2 <= len(tags) and len(set(tags)) <= MOST_TAGS
    whole = _most([all(line) for line in found])
    if len(found) < 2 or not whole or len(tags) < 2 * len(found) or not few:
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

    Raises `ValueError` for one without a blank line.
    """
    sample = [line for line in islice(lines(path, encoding), SAMPLED)]
    filled = [_columns(line) for line in sample if line.strip() and not _is_remark(line)]
    width = Counter(map(len, filled)).most_common(1)[0][0] if filled else 1
    alike = [row for row in filled if len(row) == width]
    blocks = list(_blocks(enumerate(sample, 1)))
    if len(alike) < max(4, MOST * len(filled)) or width == 1 or not _are_tags(alike):
        return None
    if len(blocks) < 2 and not _has_blank(path, encoding):
        if not all(_TAG.fullmatch(row[-1]) for row in alike):
            return None
        raise ValueError(
            f"{path} has a word and its tag on each line, and no blank line between sentences; put "
            "one behind each"
        )
    universal = width == 10 and filled[0][0].isdigit()
    names = _UNIVERSAL if universal else _names_of(alike)
    header = filled[0] if not universal and _are_names(filled[0]) else None

    def rows(file: Path) -> Iterator[PlacedRow]:
        for number, block in _blocks(enumerate(lines(file, encoding), 1)):
            table = [_columns(line) for line in block]
            if universal:  # parts of words, 1-2, and words that are not there, 1.1
                table = [row for row in table if row[0].isdigit()]
            table = table[1:] if table[0] == header else table
            for place, row in enumerate(table):
                if len(row) != width:
                    raise ValueError(
                        f"{file} line {number + place}: {len(row)} columns, where the first line "
                        f"has {width}"
                    )
            if table:
                yield f"{file} line {number}", tuple(list(c) for c in zip(*table, strict=True))

    return Listed(path, names, rows, ("CoNLL's columns, a word a line",))


def _names_of(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Words are first, but for their numbers in the sentence; tags last, but for what is one."""
    columns = list(zip(*rows, strict=True))
    varied = [place for place, column in enumerate(columns) if len({*column}) > 1]
    words = next(n for n in range(len(columns)) if n + 2 >= len(columns) or _are_words(columns, n))
    tags = varied[-1] if varied and varied[-1] > words else len(columns) - 1
    named = {words: "words", tags: "tags"}
    return tuple(named.get(place, str(place + 1)) for place in range(len(columns)))


def _are_words(columns: Sequence[Sequence[str]], place: int) -> bool:
    """Whether a column is no number of words, and no name of documents before what they say."""
    some = columns[place]
    most = max(len({*each}) for each in columns[place + 1 :])
    return not all(map(str.isdigit, some)) and _FEW_DOCUMENTS * len({*some}) > most


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


def _are_names(row: Sequence[str]) -> bool:
    """Whether a row names its columns: word and tag."""
    lower = [cell.strip().lower() for cell in row]
    return bool(_WORD_NAMES & {*lower[:-1]}) and lower[-1] in _TAG_NAMES


def _has_blank(path: Path, encoding: str) -> bool:
    return any(not line.strip() for line in islice(lines(path, encoding), 5000))


def _columns(line: str) -> list[str]:
    return line.rstrip().split("\t") if "\t" in line else line.split()


def _is_remark(line: str) -> bool:
    marks = ("# ", "#\t", "#begin ", "#end ", _DOCUMENT)
    return line.startswith(marks) or line.strip() in ("#", "#end")


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


def _most(found: Sequence[object]) -> bool:
    return sum(map(bool, found)) >= MOST * len(found)


def _sample(path: Path, encoding: str) -> list[Line]:
    return list(islice(_filled(path, encoding), SAMPLED))


def _filled(path: Path, encoding: str) -> Iterator[Line]:
    return ((n, line) for n, line in enumerate(lines(path, encoding), 1) if line.strip())
