"""The predictor of sentence-pair classification, with the words it matched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.classify.predictor import likeliest
from regard.tasks.match.coder import PairsAndLabels
from regard.tasks.pair_predictor import PairPredictor


class Matcher(PairPredictor):
    """A network that classifies pairs of sentences, with its tokenizer and label names."""

    task = "match"
    coder: PairsAndLabels

    def answers(
        self, output: Float[Tensor, " classes"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """The most likely labels."""
        return likeliest(output.log_softmax(-1), self.coder.labels, count)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PairsAndLabels:
        """Tokenizer and labels of a folder."""
        return PairsAndLabels.load(folder, entries)
