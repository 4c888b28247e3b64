"""Tables of a word a row, with the sentence that it stands in: their sentences as rows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from regard.data.reading.tables import PlacedRow, Table

SAMPLED = 400
_SENTENCE = re.compile(r"(sent(ence)?s?|seq(uence)?|doc(ument)?)([_ ]?(id|#|no|nr|number|idx))?")
_WORDS = ("word", "words", "token", "tokens")
_TAGS = ("tag", "tags", "ner_tag", "ner_tags", "ner", "label", "labels", "pos")
"""What the columns are called, the likelier tags first."""


@dataclass(frozen=True)
class _Sentences:
    table: Table
    columns: Mapping[str, str]
    sentence: str
    said: tuple[str, ...]

    @property
    def path(self) -> Path | None:
        return self.table.path

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.columns)

    def rows(self, names: Sequence[str]) -> Iterator[PlacedRow]:
        asked = [self.columns[name] for name in names]
        block: list[tuple[Any, ...]] = []
        begin, last = "", ""
        for where, (sentence, *cells) in self.table.rows([self.sentence, *asked]):
            # Some say the sentence at its first word alone.
            new = bool(str(sentence).strip()) and sentence != last
            if new and block:
                yield begin, tuple(list(column) for column in zip(*block, strict=True))
                block = []
            begin, last = (where, sentence) if new or not block else (begin, last)
            block.append(tuple(cells))
        if block:
            yield begin, tuple(list(column) for column in zip(*block, strict=True))


def by_sentence(table: Table) -> Table:
    """The sentences of such a table, any other table as it is."""
    plain = {name.strip().lower().replace(" ", "_").rstrip("_#"): name for name in table.names}
    word = next((plain[name] for name in _WORDS if name in plain), None)
    tag = next((plain[name] for name in _TAGS if name in plain), None)
    sentence = next((plain[name] for name in plain if _SENTENCE.fullmatch(name)), None)
    if word is None or tag is None or sentence is None:
        return table
    sample = [row for _, row in islice(table.rows([sentence, word, tag]), SAMPLED)]
    begun = [str(one).strip() for one, _, _ in sample if str(one).strip()]
    single = all(len(str(cell).split()) <= 1 for _, *cells in sample for cell in cells)
    if not begun or len(set(begun)) * 2 > len(sample) or not single:
        return table
    others = {name: name for name in table.names if name not in (word, tag, sentence)}
    said = (*table.said, f"a word a row, joined to sentences by {sentence!r}")
    return _Sentences(table, {"words": word, "tags": tag, **others}, sentence, said)
