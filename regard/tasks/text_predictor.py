"""Predictors that judge one text: what they say of it, and what of it they attended to."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from regard.sequences import Sequences
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.tasks.row_coder import OneText


class TextPredictor(Predictor):
    """The base of predictors that judge a text by one row of numbers."""

    coder: OneText

    @abstractmethod
    def answers(
        self, output: Float[Tensor, " outputs"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """What a row of the network's output says, best first, with log-probabilities."""

    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """What is said of each text, and where the network attended.

        Of a long text the beginning is read, as in training. Raises `ValueError` for a text
        without a token.
        """
        sources = self.coder.texts.encode(inputs, self.coder.longest)
        for number, length in enumerate(sources.lengths):
            if not length:
                raise ValueError(f"text {number + 1} of {len(inputs)} is empty; give a sentence")
        return [
            self._answer(text, row[: self.coder.longest].tolist(), num_answers)
            for text, row in zip(inputs, sources, strict=True)
        ]

    @torch.no_grad()
    def _answer(self, text: str, tokens: list[int], num_answers: int) -> Answer:
        source = Sequences(torch.tensor([tokens], device=device_of(self.model)))
        answers = self.answers(self.model(source).float()[0].cpu(), num_answers)
        inputs: Sequence[str] = self.coder.tokenizer.tokens(tokens)
        weights = None
        if hasattr(self.model, "attention_weights"):
            weights = self.model.attention_weights(source)[0].float().cpu()
            if self.coder.sentences:
                ends = [n for n, token in enumerate(tokens) if token == self.coder.tokenizer.end]
                inputs, weights = by_sentence(inputs, weights, ends)
        return Answer(
            text=text,
            answers=answers,
            inputs=tuple(inputs),
            outputs=(answers[0][0],),
            weights=None if weights is None else weights.unsqueeze(0),
            unknown=tuple(self.coder.tokenizer.unknown(text, self.coder.longest)),
        )


def by_sentence(
    tokens: Sequence[str], weights: Float[Tensor, " k_len"], ends: Sequence[int]
) -> tuple[list[str], Float[Tensor, " sentences"]]:
    """Whole sentences, the token each was read for in brackets, and what its tokens weigh together.

    Args:
        ends: where the tokens stand that end a sentence.

    >>> tokens, weights = ["so", "bad", "</s>", "bye"], torch.tensor([0.25, 0.5, 0, 0.25])
    >>> by_sentence(tokens, weights, ends=[2])
    (['so [bad]', '[bye]'], tensor([0.7500, 0.2500]))
    """
    sentences, sums, start = [], [], 0
    for stop in [*ends, len(tokens)]:
        some, shares = list(tokens[start:stop]), weights[start:stop]
        if some:
            strongest = int(shares.argmax())
            some[strongest] = f"[{some[strongest]}]"
            sentences.append(" ".join(some).replace(" ▁", " "))
            sums.append(float(shares.sum()))
        start = stop + 1
    return sentences, torch.tensor(sums)
