"""The predictor of gaps in a text, filled one by one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard.sequences import Sequences
from regard.tasks.permutation_lm.coder import GAP, OrderCoder
from regard.tasks.predictor import Answer, Predictor, device_of

TIMES_LONGER, LEAST_READ = 4, 1000
"""Limits on the length of a text: a multiple of the block size, and a number always allowed."""

Filling = tuple[tuple[int, ...], float]
"""Tokens for the gaps so far, and their log-probability."""


class OrderedGapFiller(Predictor):
    """A permutation language model, with its tokenizer."""

    task = "permutation_lm"
    coder: OrderCoder

    @torch.no_grad()
    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """The texts with every gap, `<mask>`, filled by one token, from left to right.

        Each gap is conditioned on the whole text and the gaps before it, so that the probability of
        an answer is the joint one of all its tokens; the search keeps as many beams as answers are
        requested. The weights are those of the gaps, in the last layer, averaged over its heads.

        Raises `ValueError` for a text without a gap, and for one many times longer than the
        network's training blocks.
        """
        return [
            self._filled(text, *self._read(number, text, inputs), max(1, num_answers))
            for number, text in enumerate(inputs, 1)
        ]

    def _read(self, number: int, text: str, inputs: Sequence[str]) -> tuple[list[int], list[int]]:
        tokens, gaps = self.coder.read(text)
        if not gaps:
            raise ValueError(
                f"text {number} of {len(inputs)} has no gap; write <mask> where a token is to be "
                "found"
            )
        most = max(TIMES_LONGER * self.coder.block, LEAST_READ)
        if len(tokens) > most:
            raise ValueError(
                f"text {number} of {len(inputs)} has {len(tokens):,} tokens; this run was trained "
                f"on {self.coder.block} at a time; give a part of it"
            )
        return tokens, gaps

    def _filled(self, text: str, tokens: list[int], gaps: list[int], count: int) -> Answer:
        tokenizer = self.coder.tokenizer
        found: list[Filling] = [((), 0.0)]
        for number in range(len(gaps)):
            found = self._longer(tokens, gaps, number, found, count)
        rows = [_put(tokens, gaps, each) for each, _ in found]
        pieces = list(tokenizer.tokens(rows[0]))
        source, order = self._asked(rows[:1], gaps)
        return Answer(
            text=text,
            answers=tuple((tokenizer.decode(row), found[n][1]) for n, row in enumerate(rows)),
            inputs=tuple(pieces),
            outputs=tuple(pieces[gap] for gap in gaps),
            weights=self._weights(source, order),
            unknown=tuple(tokenizer.unknown(GAP.sub("", text))),
        )

    def _longer(
        self, tokens: list[int], gaps: list[int], number: int, found: list[Filling], count: int
    ) -> list[Filling]:
        """The best fillings of one gap more than these have."""
        rows = [_put(tokens, gaps, each) for each, _ in found]
        logits = self.model(*self._asked(rows, gaps))[:, number]
        scores = logits.float().log_softmax(-1).cpu()
        best = scores.topk(min(count, scores.shape[1]))
        longer = [
            ((*taken, token), total + value)
            for (taken, total), values, chosen in zip(
                found, best.values.tolist(), best.indices.tolist(), strict=True
            )
            for value, token in zip(values, chosen, strict=True)
        ]
        return sorted(longer, key=lambda each: -each[1])[:count]

    def _asked(self, rows: list[list[int]], gaps: list[int]) -> tuple[Sequences, Tensor]:
        """Texts, and the order in which their gaps come behind all else, from left to right.

        So what stands in a gap that is not filled yet is seen by those behind it alone.
        """
        device = device_of(self.model)
        order = torch.full((len(rows), len(rows[0])), -1)
        order[:, gaps] = torch.arange(len(gaps))
        return Sequences(torch.tensor(rows, device=device)), order.to(device)

    def _weights(self, source: Sequences, order: Tensor) -> Tensor | None:
        """What each gap looked at, of a network that shows it."""
        if not hasattr(self.model, "attention_weights"):
            return None
        return self.model.attention_weights(source, order)[0].float().cpu()

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> OrderCoder:
        """The tokenizer of a folder."""
        return OrderCoder.load(folder, entries)


def _put(tokens: list[int], gaps: list[int], filling: tuple[int, ...]) -> list[int]:
    """A text with these tokens in its first gaps."""
    row = list(tokens)
    for gap, token in zip(gaps, filling, strict=False):
        row[gap] = token
    return row
