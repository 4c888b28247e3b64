"""A trained date reader: from `<fr> mardi 3 mars 2026` to `2026-03-03`, and where it looked."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._io.files import read_json, write_whole
from regard.data.encoding.vocabulary import Vocabulary
from regard.data.synthetic.tags import nearest
from regard.models.rnnsearch import RNNsearch, beam
from regard.tasks.exchange import save_model
from regard.tasks.task import Answer

VOCABULARY = "vocabulary.json"
LONGEST = 500
"""Greatest number of characters in a text; the longest date of CLDR has 66."""
MAX_LENGTH = 16
"""Greatest number of characters in an answer; a date has ten, and `</s>`."""

_TAGGED = re.compile(r"<([^<>\s]*)>\s*(.*)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class DateReader:
    """A model and the two vocabularies that it was trained with.

    `about` are further entries of `task.json`, such as the names of the parts.
    """

    model: RNNsearch
    source: Vocabulary
    target: Vocabulary
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """The tags the model knows, sorted."""
        return tuple(token[1:-1] for token in self.source.tokens[4:] if len(token) > 1)

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
            hint = nearest(tag, self.languages)
            raise ValueError(f"unknown language {_quoted(tag)}: {hint}")
        if not 1 <= len(body) <= LONGEST:
            raise ValueError(f"a date has 1 to {LONGEST} characters after the tag, got {len(body)}")
        return [f"<{tag}>", *(_ascii_digit(character) for character in body)]

    @torch.no_grad()
    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """Read texts, each for itself, `beams` answers of each at most.

        Raises `ValueError` as `tokens`.
        """
        split = [self.tokens(text) for text in texts]
        return [self._read(text, tokens, beams) for text, tokens in zip(texts, split, strict=True)]

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        lists = {"source": self.source.tokens, "target": self.target.tokens}
        text = json.dumps(lists, ensure_ascii=False, indent=0)
        write_whole(folder / VOCABULARY, text.encode())
        save_model(folder, self.model, weights, {"task": "dates", **self.about}, [VOCABULARY])

    def _read(self, text: str, tokens: list[str], beams: int) -> Answer:
        target = self.target
        encoded = self.model.encode(torch.tensor([self.source.encode(tokens)]))
        (found,) = beam(self.model, encoded, target.begin, target.end, MAX_LENGTH, beams)
        best = found[0].tokens
        weights = torch.zeros(0, len(tokens))
        if best:
            followed = torch.tensor([[target.begin, *best[:-1]]])
            weights = self.model.alignment(encoded, followed)[0]
        return Answer(
            text=text,
            answers=tuple(("".join(target.decode(h.tokens)), h.log_probability) for h in found),
            inputs=tuple(tokens),
            outputs=tuple(target.decode(best)),
            weights=weights,
            unknown=tuple(self.source.unknown(tokens)),
        )


def _ascii_digit(character: str) -> str:
    return str(unicodedata.decimal(character, character))


def _quoted(text: str) -> str:
    """A text of the user's, short and harmless enough for a message."""
    return ascii(text) if len(text) <= 40 else ascii(text[:40]) + "..."


def load_vocabularies(folder: Path) -> tuple[Vocabulary, Vocabulary]:
    """The vocabularies that `save` wrote; raises `ValueError` when the file is damaged."""
    try:
        lists = read_json((folder / VOCABULARY).read_bytes())
        source, target = (Vocabulary(tuple(lists[side])) for side in ("source", "target"))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder / VOCABULARY} is damaged: {error}") from None
    return source, target
