"""What stands between a written date and its numbers: the characters of both sides."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from regard._io.files import read_json_file, write_whole
from regard.config import Count
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.vocabulary import SPECIAL_TOKENS, Vocabulary
from regard.data.synthetic.days import NUM_DAYS, day
from regard.data.synthetic.tags import nearest_tags
from regard.tasks.exchange import said

VOCABULARY = "vocabulary.json"

_TAGGED = re.compile(r"<([^<>\s]*)>\s*(.*)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class DateCoder:
    """The tags and characters that are read, and the characters that are written.

    Args:
        longest: greatest number of characters in a text; the longest date of CLDR has 66.
        max_length: greatest number of tokens in an answer; a date has ten, and `</s>`.
    """

    source: Vocabulary
    target: Vocabulary
    longest: int = 500
    max_length: int = 16

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {
            "source_vocab": len(self.source),
            "target_vocab": len(self.target),
            "joint_vocab": False,
            "max_source_length": self.longest + 1,
            "max_length": self.longest + 1,
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags that are known, sorted."""
        named = self.source.tokens[len(SPECIAL_TOKENS) :]
        return tuple(token[1:-1] for token in named if len(token) > 1)

    def tokens(self, text: str) -> list[str]:
        """The tag and the characters of a text; digits of every script become ASCII ones.

        Raises `ValueError` with the fix when there is no text, no tag or an unknown tag.
        """
        match = _TAGGED.fullmatch(text.strip())
        if not text.strip():
            raise ValueError('the text is empty; give a date such as "<fr> mardi 3 mars 2026"')
        if match is None:
            raise ValueError(
                "the text must begin with the tag of its language, as in "
                f'"<fr> mardi 3 mars 2026"; got {_quoted(text)}'
            )
        tag, body = match[1], unicodedata.normalize("NFC", match[2])
        if f"<{tag}>" not in self.source:
            hint = nearest_tags(tag, self.languages)
            raise ValueError(f"unknown language {_quoted(tag)}: {hint}")
        if not 1 <= len(body) <= self.longest:
            raise ValueError(
                f"a date has 1 to {self.longest} characters after the tag, got {len(body)}"
            )
        return [f"<{tag}>", *(_ascii_digit(character) for character in body)]

    def names(self, days: np.ndarray) -> Ragged:
        """The ISO names of these days as numbers."""
        return _names(self.target).take(days)

    def save(self, folder: Path) -> list[str]:
        """Write both vocabularies into one file."""
        lists = {"source": self.source.tokens, "target": self.target.tokens}
        text = json.dumps(lists, ensure_ascii=False, indent=0)
        write_whole(folder / VOCABULARY, text.encode())
        return [VOCABULARY]

    def entries(self) -> dict[str, Any]:
        """The entries of `task.json`."""
        return {"longest": self.longest, "max_length": self.max_length}

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "DateCoder":
        """Load what `save` wrote; raises `ValueError` when the file is damaged."""
        path = folder / VOCABULARY
        lists = read_json_file(path)
        try:
            source, target = (Vocabulary.of(lists[side]) for side in ("source", "target"))
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None
        return cls(source, target, **said(folder, entries, {"longest": Count, "max_length": Count}))


@cache
def _names(target: Vocabulary) -> Ragged:
    """The ISO name of every day there is."""
    return Ragged.of(target.encode(day(number).isoformat()) for number in range(NUM_DAYS))


def _ascii_digit(character: str) -> str:
    return str(unicodedata.decimal(character, character))


def _quoted(text: str) -> str:
    """A text of the user's, short and harmless enough for a message."""
    return ascii(text) if len(text) <= 40 else ascii(text[:40]) + "..."
