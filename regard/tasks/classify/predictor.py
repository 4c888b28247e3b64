"""The predictor of text classification, with what it attended to."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.classify.coder import TextsAndLabels
from regard.tasks.text_predictor import TextPredictor


class Classifier(TextPredictor):
    """A network that classifies texts, with its tokenizer and label names."""

    task = "classify"
    coder: TextsAndLabels

    def answers(
        self, output: Float[Tensor, " classes"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """The most likely labels."""
        return likeliest(output.log_softmax(-1), self.coder.labels, count)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextsAndLabels:
        """Tokenizer and labels of a folder."""
        return TextsAndLabels.load(folder, entries)


def likeliest(
    scores: Float[Tensor, " classes"], names: Sequence[str], count: int
) -> tuple[tuple[str, float], ...]:
    """The best names and their log-probabilities, best first, at least one.

    >>> import torch
    >>> likeliest(torch.tensor([-2.0, -0.5, -1.0]), ("a", "b", "c"), 2)
    (('b', -0.5), ('c', -1.0))
    """
    best = scores.argsort(descending=True)[: max(1, count)].tolist()
    return tuple((names[place], float(scores[place])) for place in best)
