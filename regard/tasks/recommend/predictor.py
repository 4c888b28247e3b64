"""The predictor of recommendation: from the names of items to the names of others."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from regard.data.encoding.catalogue import UNKNOWN_ITEM
from regard.sequences import Sequences
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.tasks.recommend.coder import ItemCoder
from regard.tasks.recommend.losses import LOSSES, loss_for

SCORED_AT_ONCE = 16_384
"""User–item pairs scored together."""


class Recommender(Predictor):
    """A network that ranks items, with its items."""

    task = "recommend"
    coder: ItemCoder

    def predict(self, inputs: Sequence[Sequence[str]], num_answers: int = 1) -> list[Answer]:
        """For each history, the best items not in it: `top_k`, or `num_answers` if larger.

        A history is item names, oldest first. An unknown item is dropped from it and listed in
        `unknown`. For an empty history the network's general recommendations are returned. Scores
        are log-probabilities: of a click on each item independently, or, for a network trained with
        a softmax, among all items. The weights are each history item's share in the sum of their
        absolute values.

        Raises `ValueError` for a history that contains every item.
        """
        count = max(self.coder.top_k, num_answers)
        return [self._answer(list(names), count) for names in inputs]

    @staticmethod
    def parse(text: str) -> list[str]:
        r"""The names in a text: separated by tabs, else by commas, else by spaces.

        A name that contains a comma or a space is quoted, as in CSV.

        >>> Recommender.parse("The Matrix, Alien"), Recommender.parse("tea bread")
        (['The Matrix', 'Alien'], ['tea', 'bread'])
        >>> Recommender.parse("a, b\tc"), Recommender.parse(" ")
        (['a, b', 'c'], [])
        >>> Recommender.parse('"Toy Story 16 (1976), part 16",Heat')
        ['Toy Story 16 (1976), part 16', 'Heat']
        """
        if "\t" in text or not ("," in text or text.lstrip().startswith('"')):
            names = text.split("\t" if "\t" in text else None)
        else:
            names = next(
                csv.reader([text.replace("\r", " ").replace("\n", " ")], skipinitialspace=True), []
            )
        return [name.strip() for name in names if name.strip()]

    def input_of(self, text: str) -> list[str]:
        """The names in a text, which may also be a single name with commas and spaces."""
        known = self.coder.catalogue.encode([text.strip()]) != [UNKNOWN_ITEM]
        return [text.strip()] if known else self.parse(text)

    @staticmethod
    def typed(given: Sequence[str]) -> str:
        r"""The names separated by commas, or by tabs if commas would be ambiguous.

        >>> Recommender.typed(["tea", "bread"]), Recommender.typed(["a, b", "c"])
        ('tea,bread', 'a, b\tc')
        """
        text = ",".join(given)
        if Recommender.parse(text) == [*given]:
            return text
        return "\t".join(given) if len(given) > 1 else f"{text}\t"

    @torch.no_grad()
    def _answer(self, names: list[str], count: int) -> Answer:
        catalogue, first = self.coder.catalogue, self.coder.catalogue.first_item
        numbers = catalogue.encode(names)
        known = [number for number in numbers if number != UNKNOWN_ITEM][-self.coder.longest :]
        device = device_of(self.model)
        history = Sequences(torch.tensor([known], dtype=torch.long, device=device))
        scores = self.log_probability(self.scores(history).float())[0].cpu()
        scores[torch.tensor(known, dtype=torch.long) - first] = -torch.inf
        best = scores.topk(min(count, len(scores) - len(set(known)))).indices
        found = catalogue.decode((best + first).tolist())
        if not found:
            shown = as_text(names)[:80]
            raise ValueError(f"the history {shown!r} holds every item; nothing is left")
        weights = None
        if known and hasattr(self.model, "attention_weights"):
            offered = (best + first).to(device).unsqueeze(0)
            weights = _shares(self.model.attention_weights(history, offered)[0].float()).cpu()
        unknown = {n for n, i in zip(names, numbers, strict=True) if i == UNKNOWN_ITEM}
        return Answer(
            text=as_text(names),
            answers=tuple(zip(found, scores[best].tolist(), strict=True)),
            inputs=tuple(catalogue.decode(known)),
            outputs=tuple(found),
            weights=weights,
            unknown=tuple(sorted(unknown)),
        )

    def scores(self, history: Sequences) -> Float[Tensor, "batch items"]:
        """The scores of all items that can be recommended, starting with `first_item`."""
        catalogue = self.coder.catalogue
        every = torch.arange(catalogue.first_item, len(catalogue), device=history.device)
        some = max(1, SCORED_AT_ONCE // len(history))
        parts = [self.model(history, part.expand(len(history), -1)) for part in every.split(some)]
        return torch.cat(parts, dim=1)

    def log_probability(self, scores: Float[Tensor, "batch items"]) -> Float[Tensor, "batch items"]:
        """The log-probabilities of scores."""
        chosen = None if self.coder.loss is None else LOSSES[self.coder.loss]()
        return loss_for(self.model, chosen).log_probability(scores)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> ItemCoder:
        """The items of a folder."""
        return ItemCoder.load(folder, entries)


def as_text(names: Sequence[str]) -> str:
    """Names as one text, the inverse of `Recommender.parse`.

    >>> as_text(["tea", "bread"]), as_text(["Tea, green"])
    ('tea, bread', '"Tea, green"')
    """
    alone = len(names) == 1
    return ", ".join(_quoted(name, alone) for name in names)


def _quoted(name: str, alone: bool) -> str:
    apart = "," in name or name.startswith('"') or (alone and " " in name)
    return '"' + name.replace('"', '""') + '"' if apart else name


def _shares(weights: Tensor) -> Float[Tensor, "q_len k_len"]:
    """Rows of shares between 0 and 1, also of weights that are negative or do not sum to 1."""
    size = weights.abs()
    return size / size.sum(-1, keepdim=True).clamp(min=1e-12)
