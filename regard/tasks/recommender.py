"""A trained recommender: from the names of items to the names of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.data.encoding.catalogue import UNKNOWN, Catalogue
from regard.tasks.exchange import save_model
from regard.tasks.offers import FIRST
from regard.tasks.task import Answer

CATALOGUE = "items.json"
SCORED_AT_ONCE = 16_384


@dataclass(frozen=True, eq=False)
class Recommender:
    """A model that ranks items, and the items.

    Args:
        longest: how many items of a history are read, the last ones.
        top: how many items are recommended.
        about: further entries of `task.json`, such as the names of the parts.
    """

    model: Any
    catalogue: Catalogue
    longest: int = 50
    top: int = 10
    about: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, texts: Sequence[str], beams: int = 1) -> list[Answer]:
        """For each history the best items it does not hold, `top` or `beams` if that is more.

        A history is the names of items, oldest first, between tabs, else commas, else spaces. An
        item that is not known is left out of it and named in `unknown`. To an empty history the
        answer is what the model recommends to everybody. The scores are log-probabilities: for DIN
        of a click on each item by itself, otherwise among all items. The weights are the share each
        item of the history has in the sum of their absolute values.

        Raises `ValueError` for a history that holds every item.
        """
        return [self._answer(text, max(self.top, beams)) for text in texts]

    @torch.no_grad()
    def _answer(self, text: str, count: int) -> Answer:
        names = named(text)
        numbers = self.catalogue.encode(names)
        history = [number for number in numbers if number != UNKNOWN][-self.longest :]
        device = self.model.output.weight.device
        past = torch.tensor([history], dtype=torch.long, device=device)
        nats = self.model.log_probability(self.scores(past, None).float())[0].cpu()
        nats[past[0].cpu() - FIRST] = -torch.inf
        free = len(nats) - len(set(history))
        best = nats.topk(min(count, free)).indices
        chosen = self.catalogue.decode((best + FIRST).tolist())
        if not chosen:
            raise ValueError(f"the history {text[:80]!r} holds every item; nothing is left")
        weights = self.model.look(past, None, (best + FIRST).to(device).unsqueeze(0))[0]
        return Answer(
            text=text,
            answers=tuple(zip(chosen, nats[best].tolist(), strict=True)),
            inputs=tuple(self.catalogue.decode(history)),
            outputs=tuple(chosen),
            weights=_shares(weights.float()).cpu() if history else None,
            unknown=tuple(sorted({n for n, i in zip(names, numbers, strict=True) if i == UNKNOWN})),
        )

    def scores(self, history: Tensor, lengths: Tensor | None) -> Float[Tensor, "batch items"]:
        """The scores of all items that can be recommended, the first of them `FIRST`."""
        every = torch.arange(FIRST, len(self.catalogue), device=history.device)
        rows = max(1, SCORED_AT_ONCE // len(history))
        parts = [
            self.model(history, lengths, some.expand(len(history), -1))
            for some in every.split(rows)
        ]
        return torch.cat(parts, dim=1)

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the exchange layout into a folder that exists."""
        self.catalogue.save(folder / CATALOGUE)
        about = {"task": "recommend", "longest": self.longest, "top": self.top, **self.about}
        save_model(folder, self.model, weights, about, [CATALOGUE])


def features_of(catalogue: Catalogue) -> Tensor | None:
    """The side features of a catalogue as a network takes them, None where there are none."""
    table = catalogue.features
    return torch.from_numpy(np.ascontiguousarray(table)) if table.size else None


def named(text: str) -> list[str]:
    r"""The names in a text: between tabs, else between commas, else between spaces.

    >>> named("The Matrix, Alien"), named("tea bread"), named("a, b\tc"), named(" ")
    (['The Matrix', 'Alien'], ['tea', 'bread'], ['a, b', 'c'], [])
    """
    between = next((sign for sign in "\t," if sign in text), None)
    return [name.strip() for name in text.split(between) if name.strip()]


def spelled(names: Sequence[str]) -> str:
    """Names as one text that `named` takes apart again."""
    return ("\t" if any("," in name for name in names) else ", ").join(names)


def _shares(weights: Tensor) -> Float[Tensor, "q_len k_len"]:
    """Rows of shares between 0 and 1, also of weights that are negative or do not sum to 1."""
    size = weights.abs()
    return size / size.sum(-1, keepdim=True).clamp(min=1e-12)
