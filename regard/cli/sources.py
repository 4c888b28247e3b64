"""What the words behind `regard predict RUN` are: texts, files, standard input, or mistakes."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from regard.data.reading.compression import PACKED
from regard.data.reading.paths import not_there
from regard.data.reading.picture_folders import pictures_in
from regard.data.reading.pictures import is_picture_file, is_picture_name
from regard.data.reading.tables import ENDINGS
from regard.run.questions import Asker, Questions

STANDARD_INPUT = "standard input"
FILES = (*ENDINGS, *PACKED, ".txt")
"""Endings of words that are files, whether they are there or not."""


@dataclass(frozen=True)
class Source:
    """Texts that were typed one behind the other, or a file, or standard input.

    Args:
        name: of it, in what is said.
    """

    name: str
    texts: tuple[str, ...] = ()
    path: Path | None = None

    @property
    def typed(self) -> bool:
        """Whether it is texts themselves."""
        return bool(self.texts)

    def questions(self, asker: Asker) -> Questions:
        """What is asked."""
        if self.path:
            pipe = self.path.is_fifo()
            return asker.of_pipe(self.path) if pipe else asker.of_file(self.path)
        if self.typed:
            return asker.of_texts(self.texts)
        return asker.of_stream(sys.stdin.buffer, STANDARD_INPUT)


def sources_of(words: Sequence[str], as_text: bool, pictures: bool = False) -> list[Source]:
    """The texts, files and standard input (`-`) that words stand for, in their order.

    Raises `ValueError` for a folder, for a file that does not exist, and for a word that is no
    text; `as_text` all words but `-` are texts. Where `pictures` are asked, the path of one stands
    for it, and that of a folder for all that are in it.

    >>> sources_of(["so far", "so good"], False)
    [Source(name='2 texts', texts=('so far', 'so good'), path=None)]
    """
    found: list[Source] = []
    typed: list[str] = []
    for number, word in enumerate(words, 1):
        if pictures and (shown := _pictures(word)):
            typed += shown
            continue
        path = None if as_text else _file(word)
        if path or word == "-":
            found += _texts(typed)
            typed = []
            found.append(Source(str(path) if path else STANDARD_INPUT, path=path))
        else:
            _require_text(word, number)
            typed.append(word)
    return [*found, *_texts(typed)]


def _pictures(word: str) -> list[str]:
    """The pictures that a word names; none where it is a table of them, or standard input.

    Raises `ValueError` for a folder without any, and for what is not there.
    """
    path = Path(os.path.expanduser(word))
    if word == "-" or is_picture_file(path) or is_picture_name(word):
        return [] if word == "-" else [word]
    if path.is_dir():
        found = [str(each) for each in pictures_in(path)]
        if not found:
            raise ValueError(f"{word} is a folder without a picture in it")
        return found
    if not path.exists():
        raise ValueError(f"{not_there(path)}; name pictures, their folder, or a table of them")
    return []


def _texts(typed: Sequence[str]) -> list[Source]:
    name = "1 text" if len(typed) == 1 else f"{len(typed)} texts"
    return [Source(name, tuple(typed))] if typed else []


def _file(word: str) -> Path | None:
    """The file that a word names, None for a text."""
    if word == "-" or not word.strip():
        return None
    path = Path(os.path.expanduser(word))
    try:
        if path.is_dir():
            some = ", ".join(sorted(p.name for p in path.iterdir() if p.is_file())[:4])
            raise ValueError(
                f"{word} is a folder; name one of its files: {some or 'it has none'}; {_ELSE}"
            )
        if path.exists():
            return path
        if _looks_like_a_file(word, path):
            raise ValueError(f"{not_there(path)}; {_ELSE}")
    except (OSError, RuntimeError):  # too long for a name, no such home
        return None
    return None


_ELSE = "to ask about the text itself, pass it on standard input or with --as-text"


def _looks_like_a_file(word: str, path: Path) -> bool:
    if not word or any(letter.isspace() for letter in word):
        return False
    parent = path.parent
    return path.suffix.lower() in FILES or ("/" in word and parent.is_dir())


def _require_text(word: str, number: int) -> None:
    """Raise `ValueError` for a word with half a character, as bytes that are not UTF-8 leave."""
    place = next((n for n, letter in enumerate(word, 1) if "\ud800" <= letter <= "\udfff"), None)
    if place is not None:
        raise ValueError(
            f"text {number} is not UTF-8: its character {place} is half a character (a lone "
            "surrogate); put it into a file, and say its --encoding"
        )
