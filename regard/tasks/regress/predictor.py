"""A trained regressor: the number of a text, and what it attended to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.regress.coder import TextsAndNumbers
from regard.tasks.text_predictor import TextPredictor


class Regressor(TextPredictor):
    """A network that gives numbers to texts, with their tokenizer and the numbers' scale."""

    task = "regress"
    coder: TextsAndNumbers

    def answers(self, output: Float[Tensor, " 1"], count: int) -> tuple[tuple[str, float], ...]:
        """The number; there is no other, so its log-probability is 0."""
        return ((f"{self.coder.scale.restored(output.item()):.4g}", 0.0),)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextsAndNumbers:
        """Tokenizer and scale of a folder."""
        return TextsAndNumbers.load(folder, entries)
