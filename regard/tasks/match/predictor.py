"""A trained network that labels pairs of sentences, and which words it thought alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.classify.predictor import likeliest
from regard.tasks.match.coder import PairsAndLabels
from regard.tasks.pair_predictor import PairPredictor


class Matcher(PairPredictor):
    """A network that labels pairs of sentences, with their tokenizer and the labels' names."""

    task = "match"
    coder: PairsAndLabels

    def answers(
        self, output: Float[Tensor, " classes"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """The likeliest labels."""
        return likeliest(output.log_softmax(-1), self.coder.labels, count)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PairsAndLabels:
        """Tokenizer and labels of a folder."""
        return PairsAndLabels.load(folder, entries)
