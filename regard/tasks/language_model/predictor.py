"""The predictor of language modeling: it continues a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regard.generation import Temperature, sample
from regard.tasks.language_model.coder import TextCoder
from regard.tasks.predictor import Answer, Predictor, device_of

TIMES_LONGER, LEAST_READ = 4, 1000
"""Limits on the length of a text: a multiple of the block size, and a number always allowed."""
SHOWN = 48
"""The number of last tokens whose attention is shown."""


class TextGenerator(Predictor):
    """A language model and its tokenizer."""

    task = "language_model"
    coder: TextCoder

    @torch.no_grad()
    def predict(self, inputs: Sequence[str], num_answers: int = 1) -> list[Answer]:
        """Sample `num_answers` continuations of each text, the most likely first.

        A text ends at the end tokens of the network's configuration, if there are any.

        Samples depend only on the text's index. The weights are those of the end of the text and
        of the continuation.

        Raises `ValueError` for an empty text, and for one many times longer than the network's
        training blocks.
        """
        most = max(TIMES_LONGER * self.coder.block, LEAST_READ)
        sources = self.coder.tokenizer.encode(inputs, most + 1)
        for text, length in zip(inputs, sources.lengths, strict=True):
            if length > most:
                raise ValueError(
                    f"the text has {len(text):,} characters; this run was trained on "
                    f"{self.coder.block} tokens at a time; give the end of the text alone"
                )
        for number, length in enumerate(sources.lengths):
            if not length:
                raise ValueError(f"text {number + 1} of {len(inputs)} is empty; give a beginning")
        return [
            self._continued(text, row.tolist(), max(1, num_answers), number)
            for number, (text, row) in enumerate(zip(inputs, sources, strict=True))
        ]

    def _continued(self, text: str, tokens: list[int], num_answers: int, seed: int) -> Answer:
        device, coder = device_of(self.model), self.coder
        prompt = self.model.encode(torch.tensor([tokens] * num_answers, device=device))
        found = sample(
            self.model,
            prompt,
            (Temperature(coder.temperature),),
            begin=torch.full((num_answers,), tokens[-1], device=device),
            end=getattr(getattr(self.model, "config", None), "ends", None),
            max_length=coder.length,
            generator=torch.Generator(device).manual_seed(seed),
        )
        found = sorted(found, key=lambda each: -each.log_probability)
        seen = (tokens + list(found[0].tokens))[-min(coder.block, SHOWN) :]
        pieces = tuple(coder.tokenizer.tokens(seen))
        return Answer(
            text=text,
            answers=tuple((coder.tokenizer.decode(h.tokens), h.log_probability) for h in found),
            inputs=pieces,
            outputs=pieces,
            weights=self._weights(torch.tensor([seen], device=device)),
            unknown=tuple(coder.tokenizer.unknown(text)),
        )

    def _weights(self, tokens: Tensor) -> Tensor | None:
        """What each token attended to, of a network that shows it."""
        if not hasattr(self.model, "attention_weights"):
            return None
        return self.model.attention_weights(tokens)[0].float().cpu()

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> TextCoder:
        """The tokenizer of a folder."""
        return TextCoder.load(folder, entries)
