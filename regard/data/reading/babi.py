r"""The file format of the bAbI tasks: numbered lines, questions among the sentences of a story.

    1 Mary moved to the bathroom.
    2 John went to the hallway.
    3 Where is Mary? \tbathroom\t1

A line numbered 1 begins a story. A line with a tab is a question about the sentences above it: its
answer, and the numbers of the lines that support it. Questions are no sentences of the story, so
those numbers become numbers of sentences, from 1.

References:
    Jason Weston, Antoine Bordes, Sumit Chopra, et al. Towards AI-Complete Question Answering: A Set
    of Prerequisite Toy Tasks. 2015. https://arxiv.org/abs/1502.05698
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from regard._io.files import write_whole
from regard.data.reading.lines import lines

OFFICIAL = re.compile(r"qa\d+_(?:.*_)?(?:train|valid|test)\.txt")
PART = re.compile(r"(?:.*[._-])?(train|valid|val|dev|test)\.txt")
_LINE = re.compile(r"(\d+) (.*)")
_SAMPLE = 50
"""Lines by which a file of another name is recognized."""

BabiRow = tuple[str, str, str, str]


def is_babi(path: Path) -> bool:
    """Is this a file in the format of bAbI: called as the official ones, or looking like one?

    Looking like one is: text whose lines are numbered from 1, the first questions with a tab.

    >>> is_babi(Path("qa1_single-supporting-fact_train.txt")), is_babi(Path("notes.txt"))
    (True, False)
    """
    if OFFICIAL.fullmatch(path.name):
        return True
    if path.suffix != ".txt" or not path.is_file():
        return False
    try:
        found = [_LINE.fullmatch(line) for line in islice(lines(path), _SAMPLE)]
    except ValueError:
        return False
    if any(each is not None and "\t\t" in each[2] for each in found):
        return False  # PersonaChat's candidates stand behind two tabs.
    numbered = bool(found) and all(found) and found[0] is not None and found[0][1] == "1"
    return numbered and any(each is not None and "\t" in each[2] for each in found)


def babi_split(path: Path) -> str | None:
    """The split that a file name ends with, as the official ones do.

    >>> babi_split(Path("qa1_single-supporting-fact_test.txt")), babi_split(Path("contest.txt"))
    ('test', None)
    """
    found = PART.fullmatch(path.name)
    return {"val": "valid", "dev": "valid"}.get(found[1], found[1]) if found else None


@dataclass(frozen=True)
class Babi:
    """The questions of such a file, each a row: story, question, answer, support (see `stories`).

    Reading raises `ValueError` that names file and line for a line without a number or with the
    wrong one, a question without an answer, a support that is no earlier sentence of the story, a
    story in which nothing is asked, and text that is not in this encoding.
    """

    path: Path
    encoding: str = "utf-8"

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,)

    def read(self, notes: Counter[str]) -> Iterator[BabiRow]:
        story = _Story(str(self.path), 1)
        last = 0
        for place, line in enumerate(lines(self.path, self.encoding), 1):
            if not line.strip():
                continue
            number, text = self._numbered(line, place, last)
            if number == 1 and last:
                story.check()
                story = _Story(str(self.path), place)
            last = number
            row = story.read(number, text, place)
            if row is not None:
                yield row
        if last:
            story.check()

    def _numbered(self, line: str, place: int, last: int) -> tuple[int, str]:
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(
                f"{self.path} line {place}: {line[:40]!r} does not begin with the number of the "
                "line in its story, as '1 Mary moved to the bathroom.' does"
            )
        number = int(found[1])
        if number not in (1, last + 1):
            wanted = f"{last + 1}, or 1 for a new story" if last else "1"
            raise ValueError(
                f"{self.path} line {place}: the number is {number} and should be {wanted}"
            )
        return number, found[2]


@dataclass
class _Story:
    """A story as far as it is read; `places` are the sentences' numbers, by those of the lines."""

    file: str
    begins: int
    sentences: list[str] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)
    asked: bool = False

    def read(self, number: int, text: str, place: int) -> BabiRow | None:
        """Take a sentence, or answer with the row that a question makes."""
        where = f"{self.file} line {place}"
        if "\t" not in text:
            if text.rstrip().endswith("?"):
                raise ValueError(f"{where}: a question needs its answer behind a tab")
            self.sentences.append(text.strip())
            self.places[number] = len(self.sentences)
            return None
        question, answer, *support = (part.strip() for part in text.split("\t"))
        if not question or not answer or len(support) > 1:
            raise ValueError(
                f"{where}: a question is followed by a tab and its answer, and by a tab and the "
                f"numbers of what supports it; got {text[:60]!r}"
            )
        self.asked = True
        numbers = [self._place(each, where) for each in " ".join(support).split()]
        return "\n".join(self.sentences), question, answer, " ".join(map(str, numbers))

    def check(self) -> None:
        """Raise `ValueError` when nothing was asked."""
        if not self.asked:
            raise ValueError(
                f"{self.file} line {self.begins}: nothing is asked in the story that begins here; "
                "a question is a line with a tab before its answer"
            )

    def _place(self, text: str, where: str) -> int:
        number = int(text) if text.isdecimal() else 0
        if number not in self.places:
            raise ValueError(
                f"{where}: the support {text!r} is no earlier sentence of the story, which has "
                f"the lines {' '.join(map(str, self.places)) or 'none'}"
            )
        return self.places[number]


def write_babi(path: Path, rows: Iterable[BabiRow]) -> None:
    """Write rows in the same format; one whose story goes on from the row before shares its lines.

    Raises `ValueError` for a text with a tab or a question with a line feed.
    """
    written: list[str] = []
    told: list[str] = []
    numbers: list[int] = []
    last = 0
    for story, question, answer, support in rows:
        sentences = story.split("\n") if story else []
        if "\t" in story + question + answer or "\n" in question + answer:
            raise ValueError(f"a tab or line feed cannot be written: {question!r}, {answer!r}")
        if not last or sentences[: len(told)] != told:
            told, numbers, last = [], [], 0
        for sentence in sentences[len(told) :]:
            last += 1
            numbers.append(last)
            written.append(f"{last} {sentence}")
        told, last = sentences, last + 1
        lines_of = " ".join(str(numbers[int(each) - 1]) for each in support.split())
        written.append(f"{last} {question} \t{answer}\t{lines_of}")
    write_whole(path, ("\n".join(written) + "\n").encode() if written else b"")
