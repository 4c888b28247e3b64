"""The predictor of text regression, with what it attended to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.regress.coder import Scale, TextsAndNumbers
from regard.tasks.text_predictor import TextPredictor


class Regressor(TextPredictor):
    """A regression network, with its tokenizer and the scale of its numbers."""

    task = "regress"
    coder: TextsAndNumbers

    def answers(self, output: Float[Tensor, " 1"], count: int) -> tuple[tuple[str, float], ...]:
        """The number, the only answer."""
        return number_answer(output, self.coder.scale)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextsAndNumbers:
        """Tokenizer and scale of a folder."""
        return TextsAndNumbers.load(folder, entries)


def number_answer(output: Float[Tensor, " 1"], scale: Scale) -> tuple[tuple[str, float], ...]:
    """The number formatted as in the data; the only answer, so its log-probability is 0.

    >>> import torch
    >>> number_answer(torch.tensor([-1.0]), Scale(mean=3.0, deviation=0.5))
    (('2.5', 0.0),)
    """
    return ((f"{scale.restored(output.item()):.4g}", 0.0),)
