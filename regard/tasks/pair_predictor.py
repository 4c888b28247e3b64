"""Predictors that judge a pair of texts: what they say of it, and which words seemed alike."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from regard.sequences import Sequences
from regard.tasks.pair_coder import PairCoder
from regard.tasks.predictor import Answer, Predictor, device_of

BETWEEN = "\t"
"""What stands between the two sentences of a pair that is written as one text."""

Pair = tuple[str, str]


class PairPredictor(Predictor):
    """The base of predictors that judge a pair of texts by one row of numbers."""

    coder: PairCoder

    @abstractmethod
    def answers(
        self, output: Float[Tensor, " outputs"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """What a row of the network's output says, best first, with log-probabilities."""

    def predict(self, inputs: Sequence[Pair], num_answers: int = 1) -> list[Answer]:
        """What is said of each pair (left, right).

        The rows of an answer's weights are the words of the right sentence, each row the shares of
        the left one's words. Raises `ValueError` for a pair without a token on one side.
        """
        if not inputs:
            return []
        longest, readers = self.coder.longest, self.coder.sides.values()
        lefts, rights = (
            read.encode(side, longest)
            for read, side in zip(readers, zip(*inputs, strict=True), strict=True)
        )
        for number, lengths in enumerate(zip(lefts.lengths, rights.lengths, strict=True), 1):
            if not all(lengths):
                side = "right" if lengths[0] else "left"
                raise ValueError(
                    f"the {side} sentence of pair {number} of {len(inputs)} is empty; give both"
                )
        rows = zip(inputs, lefts, rights, strict=True)
        return [self._answer(pair, x.tolist(), y.tolist(), num_answers) for pair, x, y in rows]

    @staticmethod
    def parse(text: str) -> Pair:
        """The pair that a text `left<TAB>right` stands for; raises `ValueError` for another one."""
        sides = text.split(BETWEEN)
        if len(sides) != 2:
            raise ValueError(
                f"the text has {len(sides) - 1} tabs, not 1; give two sentences with a tab between "
                "them, as in $'A man rides.\\tA man is riding.'"
            )
        return sides[0], sides[1]

    @staticmethod
    def typed(given: Pair) -> str:
        """The two sentences with a tab between."""
        return BETWEEN.join(given)

    @torch.no_grad()
    def _answer(self, pair: Pair, left: list[int], right: list[int], num_answers: int) -> Answer:
        device, tokenizer = device_of(self.model), self.coder.tokenizer
        sides = [Sequences(torch.tensor([tokens], device=device)) for tokens in (left, right)]
        answers = self.answers(self.model(*sides).float()[0].cpu(), num_answers)
        weights = None
        if hasattr(self.model, "attention_weights"):
            weights = self.model.attention_weights(*sides)[0].float().cpu()
        longest = self.coder.longest
        unknown = {each for side in pair for each in tokenizer.unknown(side, longest)}
        return Answer(
            text=BETWEEN.join(pair),
            answers=answers,
            inputs=tuple(tokenizer.tokens(left)),
            outputs=tuple(tokenizer.tokens(right)),
            weights=weights,
            unknown=tuple(sorted(unknown)),
        )
