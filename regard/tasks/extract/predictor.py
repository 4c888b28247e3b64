"""The predictor of extractive question answering, with where it points."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from regard.data.encoding.documents import sentences_of
from regard.data.encoding.hashed_words import word_spans
from regard.tasks.extract.coder import AnswerCoder, load_coder
from regard.tasks.extract.decoding import Candidate, best_spans, log_probs
from regard.tasks.predictor import Answer, Predictor, device_of

BETWEEN = "\t"
"""The separator of passage and question in one text."""
MORE = 8
"""Candidate spans per requested answer, since several may be the same words."""

Asked = tuple[str, str]
"""A passage and a question about it."""


class Extractor(Predictor):
    """A network that finds answers in passages, with its vocabulary."""

    task = "extract"
    coder: AnswerCoder

    def predict(self, inputs: Sequence[Asked], num_answers: int = 1) -> list[Answer]:
        """The most likely answers to each question, verbatim parts of its passage.

        An answer is empty if the network finds none, which happens only if it was trained on such
        questions. The rows of an answer's weights are the probabilities of each word of the passage
        being its first and its last word; the rest to 1 is "no answer". The first `longest` words
        of a passage are read.

        Raises `ValueError` for an empty passage or question.
        """
        for number, sides in enumerate(inputs, 1):
            for what, side in zip(("passage", "question"), sides, strict=True):
                if not side.strip():
                    raise ValueError(
                        f"the {what} of input {number} of {len(inputs)} is empty; give a passage "
                        "and a question about it"
                    )
        return [self._answer(context, question, num_answers) for context, question in inputs]

    @staticmethod
    def typed(given: Asked) -> str:
        """The passage and the question, separated by a tab."""
        return BETWEEN.join(given)

    @staticmethod
    def parse(text: str) -> Asked:
        r"""The passage and the question in a text: tab-separated, or with the question at the end.

        Raises `ValueError` for a text without a question.

        >>> Extractor.parse("Mary Bell lives in Rome. Where does she live?")
        ('Mary Bell lives in Rome.', 'Where does she live?')
        """
        if BETWEEN in text:
            passage, _, question = text.rpartition(BETWEEN)
            return passage, question
        question = (sentences_of(text) or [""])[-1]
        if question[-1:] not in "?？" or question.strip() == text.strip():
            shown = ascii(question if len(question) <= 40 else question[:40] + "...")
            raise ValueError(
                f"the text has no question: its last sentence is {shown}; write the passage and "
                "the question with a tab between them, as in "
                "$'Mary lives in Rome.\\tWhere does Mary live?'"
            )
        return text[: text.rindex(question)].strip(), question

    @torch.no_grad()
    def _answer(self, context: str, question: str, num_answers: int) -> Answer:
        device, coder = device_of(self.model), self.coder
        context, question = (first_words(side, coder.longest) for side in (context, question))
        passage, asked = (each.to(device) for each in coder.read(context, question))
        there = coder.answerable(passage)
        length = int(there.counts[0])
        logits = self.model(passage, asked)[:, :, : 1 + passage.ids.shape[1]]
        scores = log_probs(logits, there, coder.unanswerable)[0, :, : 1 + length].cpu()
        spans = coder.places(context)[:length]
        found = best_spans(scores, coder.longest_answer, max(1, num_answers) * MORE)
        answers: dict[str, float] = {}
        for each in found:
            answers.setdefault(span_text(context, spans, each), each[0])
        return Answer(
            text=BETWEEN.join((context, question)),
            answers=tuple(answers.items())[: max(1, num_answers)],
            inputs=tuple(context[start:stop] for start, stop in spans),
            outputs=("first", "last"),
            weights=scores[:, 1:].exp(),
            unknown=tuple(coder.unknown(question)),
        )

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> AnswerCoder:
        """The words of a folder."""
        return load_coder(folder, entries)


def first_words(text: str, count: int) -> str:
    """The beginning of a text, up to this many words.

    >>> first_words("It rains in Rome.", 2), first_words("It rains", 9)
    ('It rains', 'It rains')
    """
    spans = word_spans(text)
    return text[: spans[count - 1][1]] if len(spans) > count else text


def span_text(context: str, spans: Sequence[tuple[int, int]], found: Candidate) -> str:
    """The part of a passage that a candidate represents, verbatim.

    >>> span_text("In New  York.", [(0, 2), (3, 6), (8, 12), (12, 13)], (-0.1, 2, 3))
    'New  York'
    """
    _, first, last = found
    return context[spans[first - 1][0] : spans[last - 1][1]] if first else ""
