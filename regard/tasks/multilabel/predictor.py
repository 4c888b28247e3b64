"""The predictor of multilabel classification, with what it attended to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from regard.tasks.multilabel.coder import TextsAndLabelLists, joined
from regard.tasks.text_predictor import TextPredictor


class MultilabelPredictor(TextPredictor):
    """A multilabel network, with its tokenizer, label names and threshold."""

    task = "multilabel"
    coder: TextsAndLabelLists

    def answers(
        self, output: Float[Tensor, " classes"], count: int
    ) -> tuple[tuple[str, float], ...]:
        """All labels above the threshold as one text, `red, round`; `(none)` if there are none.

        Its log-probability is that of exactly these labels. If more answers are requested, the most
        likely labels follow individually, whether above the threshold or not.
        """
        chosen = output.sigmoid() > self.coder.threshold
        names = [name for name, yes in zip(self.coder.labels, chosen, strict=True) if yes]
        whole = (joined(names), float(logsigmoid(output.where(chosen, -output)).sum()))
        likely = output.argsort(descending=True)[: max(0, count - 1)].tolist()
        scores = logsigmoid(output)
        return (whole, *((self.coder.labels[place], float(scores[place])) for place in likely))

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextsAndLabelLists:
        """Tokenizer, labels and threshold of a folder."""
        return TextsAndLabelLists.load(folder, entries)
