"""The predictor of answers to questions about stories, with the sentences attended to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from regard._printable import shown
from regard.data.encoding.documents import sentences_of
from regard.data.encoding.story_words import StoryCoder, words
from regard.sequences import Sequences
from regard.tasks.answer.coder import StoriesAndAnswers
from regard.tasks.classify.predictor import likeliest
from regard.tasks.predictor import Answer, Predictor, device_of

MOST_WORDS = 100_000
"""Maximum length of a story and its question; a network remembers a few dozen sentences."""

Asked = tuple[str | Sequence[str], str]
"""A story, as a text or as its sentences, and a question about it."""


class Answerer(Predictor):
    """A network that answers questions about stories, with its vocabulary."""

    task = "answer"
    coder: StoriesAndAnswers

    def predict(self, inputs: Sequence[Asked], num_answers: int = 1) -> list[Answer]:
        """The most likely answers to each question about its story.

        A question about an empty story is answered, too, from the question alone. The columns of an
        answer's weights are the sentences of the story.

        Raises `ValueError` for an empty question, and for a story that is far too long.
        """
        for number, (_, question) in enumerate(inputs, 1):
            if not words(question):
                raise ValueError(
                    f"question {number} of {len(inputs)} is {shown(question)}, in which there is "
                    "no word; ask something, such as 'Where is Mary?'"
                )
        return [self._answer(story, question, num_answers) for story, question in inputs]

    @staticmethod
    def parse(text: str) -> Asked:
        """The story in a text and the question at its end.

        The sentences of a text are on separate lines, or consecutive. Raises `ValueError` when the
        last one is not a question.

        >>> Answerer.parse("Mary went home. Where is Mary?")
        (['Mary went home.'], 'Where is Mary?')
        """
        if not text.strip():
            raise ValueError("the text is empty; give a story and a question")
        *story, last = sentences_of(text)
        *more, question = sentences_of(last)
        if question[-1] not in "?？" or not words(question):
            shown = ascii(question if len(question) <= 40 else question[:40] + "...")
            raise ValueError(
                f"the text has no question: its last sentence is {shown}; end it with one, as in "
                "'Mary went to the garden. Where is Mary?'"
            )
        return [*story, *more], question

    @staticmethod
    def typed(given: Asked) -> str:
        """The sentences of the story and the question, on separate lines."""
        story, question = given
        return "\n".join([story] if isinstance(story, str) else [*story]) + f"\n{question}"

    @torch.no_grad()
    def _answer(self, story: str | Sequence[str], question: str, num_answers: int) -> Answer:
        known, device = self.coder.vocabulary, device_of(self.model)
        sentences = sentences_of(story) if isinstance(story, str) else list(story)
        told = StoryCoder(known).numbers(sentences)
        asked = known.encode(words(question))
        if len(told) + len(asked) > MOST_WORDS:
            raise ValueError(
                f"the story and its question have {len(told) + len(asked):,} words, more than "
                f"{MOST_WORDS:,}; give the part that the question is about"
            )
        rows = (torch.tensor([each], dtype=torch.long, device=device) for each in (told, asked))
        inputs = tuple(map(Sequences, rows))
        scores = self.model(*inputs).float().log_softmax(-1)[0].cpu()
        weights, hops = None, 0
        if hasattr(self.model, "attention_weights"):
            weights = self.model.attention_weights(*inputs)[0].float().cpu()
            hops = len(weights)
        heard = [word for each in (*sentences, question) for word in words(each)]
        return Answer(
            text="\n".join([*sentences, question]),
            answers=likeliest(scores, known.tokens, num_answers),
            inputs=tuple(sentences),
            outputs=tuple(f"hop {hop}" for hop in range(1, hops + 1)),
            weights=weights,
            unknown=tuple(known.unknown(heard)),
        )

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> StoriesAndAnswers:
        """The words of a folder."""
        return StoriesAndAnswers.load(folder)
