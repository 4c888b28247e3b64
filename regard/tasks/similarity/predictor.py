"""A trained network that says how alike two sentences are, and which words it thought alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from regard.tasks.pair_predictor import PairPredictor
from regard.tasks.regress.predictor import number_answer
from regard.tasks.similarity.coder import PairsAndNumbers


class SimilarityPredictor(PairPredictor):
    """A network that gives numbers to pairs of sentences, with tokenizer and scale."""

    task = "similarity"
    coder: PairsAndNumbers

    def answers(self, output: Float[Tensor, " 1"], count: int) -> tuple[tuple[str, float], ...]:
        """The number; there is no other."""
        return number_answer(output, self.coder.scale)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PairsAndNumbers:
        """Tokenizer and scale of a folder."""
        return PairsAndNumbers.load(folder, entries)
