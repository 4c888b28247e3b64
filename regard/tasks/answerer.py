"""A trained model that answers questions about stories, and shows where it looked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard._io.files import read_json, write_whole
from regard.data.encoding.documents import sentences
from regard.data.encoding.ragged import Ragged
from regard.data.encoding.story_words import StoryCoder, told, words
from regard.data.encoding.vocabulary import Vocabulary
from regard.tasks.classify import likeliest
from regard.tasks.exchange import save_model
from regard.tasks.task import Answer

VOCABULARY = "vocabulary.json"


@dataclass(frozen=True, eq=False)
class Answerer:
    """A model that answers questions about stories, and its vocabulary.

    `about` are further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    vocabulary: Vocabulary
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """Answer the question at the end of each text; the `beams` likeliest answers.

        A text is sentences on a line of their own each, or one behind the other. Of a story longer
        than the memory the last sentences are looked at; a question about nothing is answered, too,
        as one that the story does not help with.

        Raises `ValueError` for a text whose last sentence is not a question.
        """
        split = [self._split(text, f"text {n} of {len(texts)}") for n, text in enumerate(texts, 1)]
        return [self._answer(text, *parts, beams) for text, parts in zip(texts, split, strict=True)]

    def _split(self, text: str, name: str) -> tuple[list[str], str]:
        """Story and question."""
        if not text.strip():
            raise ValueError(f"{name} is empty; give a story and a question")
        *story, last = sentences(text)
        *more, question = sentences(last)
        if question[-1] not in "?？" or not words(question):
            shown = ascii(question if len(question) <= 40 else question[:40] + "...")
            raise ValueError(
                f"{name} has no question: its last sentence is {shown}; end it with one, as in "
                "'Mary went to the garden. Where is Mary?'"
            )
        return [*story, *more], question

    @torch.no_grad()
    def _answer(self, text: str, story: list[str], question: str, beams: int) -> Answer:
        device = self.model.output.weight.device
        memory = self.model.config.memory_size
        flat = Ragged.of([StoryCoder(self.vocabulary).numbers(story)])
        grid, _ = told(flat, self.vocabulary.end, memory)
        asked = torch.tensor([self.vocabulary.encode(words(question))], device=device)
        seen = torch.from_numpy(grid).to(device)
        scores = self.model(seen, asked).float().log_softmax(-1)[0].cpu()
        looks = self.model.look(seen, asked)[0].float().cpu()
        heard = [word for each in (*story, question) for word in words(each)]
        return Answer(
            text=text,
            answers=likeliest(scores, self.vocabulary.tokens, beams),
            inputs=tuple(story[-memory:]),
            outputs=tuple(f"hop {hop}" for hop in range(1, len(looks) + 1)),
            weights=looks,
            unknown=tuple(self.vocabulary.unknown(heard)),
        )

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        save_vocabulary(self.vocabulary, folder)
        save_model(folder, self.model, weights, {"task": "answer", **self.about}, [VOCABULARY])


def save_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Write it into a folder that exists."""
    text = json.dumps(vocabulary.tokens, ensure_ascii=False, indent=0)
    write_whole(folder / VOCABULARY, text.encode())


def load_vocabulary(folder: Path) -> Vocabulary:
    """The vocabulary that `save_vocabulary` wrote; raises `ValueError` when the file is damaged."""
    try:
        return Vocabulary(tuple(read_json((folder / VOCABULARY).read_bytes())))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{folder / VOCABULARY} is damaged: {error}") from None
