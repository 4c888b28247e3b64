"""The predictor of sentence similarity, with the words it matched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.pair_predictor import PairPredictor
from regard.tasks.regress.predictor import number_answer
from regard.tasks.similarity.coder import PairsAndNumbers


class SimilarityPredictor(PairPredictor):
    """A pair-regression network, with its tokenizer and the scale of its numbers."""

    task = "similarity"
    coder: PairsAndNumbers

    def answers(self, output: Float[Tensor, " 1"], count: int) -> tuple[tuple[str, float], ...]:
        """The number, the only answer."""
        return number_answer(output, self.coder.scale)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PairsAndNumbers:
        """Tokenizer and scale of a folder."""
        return PairsAndNumbers.load(folder, entries)
