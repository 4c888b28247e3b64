"""Recommendation: what a user chooses next, evaluated by its rank."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, LargeCount, Natural, NonNegative
from regard.data.encoding.catalogue import NO_ITEM, UNKNOWN_ITEM
from regard.data.encoding.interactions import histories_in, require_examples
from regard.data.encoding.ragged import Ragged
from regard.data.reading.corpus import Corpus
from regard.models.protocols import DescribesItems, EmbedsItems
from regard.tasks.details import Details, DetailTable, JudgedExample, worst_of
from regard.tasks.predictor import device_of
from regard.tasks.recommend.coder import ItemCoder, Offers
from regard.tasks.recommend.losses import (
    LOSSES,
    BinaryCrossEntropy,
    SampledSoftmax,
    loss_for,
    occurring_l2,
)
from regard.tasks.recommend.metrics import ranking_scores
from regard.tasks.recommend.offers import ChosenItems, Offered, impressions
from regard.tasks.recommend.predictor import SCORED_AT_ONCE, Recommender
from regard.tasks.recommend.schema import SCHEMA
from regard.tasks.task import AT_ONCE, Part, Record, Task

MOST_RANKED = 10_000
"""Items of which all are ranked where nothing else is said; of more, so many are drawn:"""
USUALLY_RANKED = 100


@dataclass(frozen=True, kw_only=True)
class RecommendSettings(Config):
    """The settings of recommendation.

    Args:
        longest: maximum items of a history, the last ones.
        batch_tokens: positions per micro-batch, including padding.
        loss: `binary` scores each item independently, `sampled_softmax` all together; None is a
            softmax for networks with user and item vectors, and binary for others.
        l2: mini-batch-aware regularization of the item vectors (see `occurring_l2`), added to the
            mean loss.
        top_k: number of items recommended, and the cutoff of ranking metrics.
        candidates: number of items ranked in evaluation: the chosen one and this many minus one,
            sampled once and for all per example; 0 is all items; None is all if there are up to
            10 000, else 100.
        impressions: items sampled for the AUC of each example, besides the chosen one.
    """

    tag = "recommend"

    longest: LargeCount = 50
    batch_tokens: LargeCount = 2048
    loss: BinaryCrossEntropy | SampledSoftmax | None = None
    l2: NonNegative = 0.0
    top_k: Count = 10
    candidates: Natural | None = None
    impressions: Count = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.candidates == 1:
            raise ValueError("candidates must be 0, for all items, or at least 2, got 1")


class Recommend(Task):
    r"""The task: learn from histories which item comes next.

    The network takes histories as `Sequences` and candidates `[batch, n]`, all of item ids, and
    returns scores `[batch, n]` (see `regard.models.protocols.Recommends`). One that
    `DescribesItems` gets the side features of the items.

    Raises `ValueError` for fewer than two items, for a loss that the network cannot be trained
    with, and for `l2` of a network that does not expose its item vectors.

    >>> import tempfile
    >>> from pathlib import Path
    >>> class Near(torch.nn.Module):
    ...     def __init__(self, items, **_):
    ...         super().__init__()
    ...         self.items = torch.nn.Embedding(items, 8)
    ...     def forward(self, history, candidate):
    ...         user = history.mean(self.items(history.ids))
    ...         return (self.items(candidate) @ user.unsqueeze(2)).squeeze(2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "bought.csv")
    ...     rows = (f"ann{n},item{n + k}\n" for n in range(9) for k in range(5))
    ...     _ = path.write_text("user,item\n" + "".join(rows))
    ...     task = Recommend(str(path), Near)
    >>> task.loss(task.part(0).batch(np.arange(2))).shape
    torch.Size([])
    """

    name, metric = "recommend", "ndcg"
    schema = SCHEMA
    settings_type = RecommendSettings
    predictor_type = Recommender
    evaluates_training_part = True
    settings: RecommendSettings
    coder: ItemCoder
    predictor: Recommender

    def __init__(
        self, data: Any, model: Any, settings: Any = None, *, seed: int = 0, fixed: int = 4
    ) -> None:
        super().__init__(data, model, settings, seed=seed, fixed=fixed)
        self._know_loss()
        known = self.coder.catalogue
        self.items = range(known.first_item, len(known))
        if len(self.items) < 2:
            raise ValueError(f"there must be two items to choose from, there are {len(self.items)}")
        if self.settings.l2 and not isinstance(self.model, EmbedsItems):
            raise ValueError(
                f"l2 is {self.settings.l2:g}, but {type(self.model).__name__} has no `item_table` "
                "of vectors that it could keep small; leave l2 out"
            )
        if isinstance(self.model, DescribesItems):
            self.model.set_item_features(self.coder.features)
        self.candidates = self.settings.candidates or 0
        if self.settings.candidates is None and len(self.items) > MOST_RANKED:
            self.candidates = USUALLY_RANKED
        train = self.data.examples.get("train")
        self.chosen = None if train is None else ChosenItems(train, len(known), known.first_item)

    def _know_loss(self) -> None:
        """Choose the loss, and let the predictor know it."""
        chosen = self.settings.loss
        if chosen is None and self.coder.loss is not None:
            chosen = LOSSES[self.coder.loss]()
        self.trained_by = loss_for(self.model, chosen)
        if chosen is not None:
            self.coder = self.predictor.coder = replace(self.coder, loss=chosen.tag)

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> ItemCoder:
        """The items of the training split; raises `ValueError` if no user chose enough."""
        found = histories_in(corpus.splits["train"])
        require_examples(found, held_out="valid" not in corpus.splits)
        return ItemCoder(found.catalogue, settings.longest, settings.top_k)

    @classmethod
    def learned_entries(cls, settings: Any) -> dict[str, Any]:
        """What is configured rather than learned."""
        return {"longest": settings.longest, "top_k": settings.top_k}

    def part(self, epoch: int) -> Offered | Part:
        """The training examples of one epoch, with sampled negatives if the loss needs them."""
        if self.chosen is None:
            raise ValueError("there are no examples to train on")
        train, rng = self.data.examples["train"], np.random.default_rng([self.seed, epoch])
        drawn = self.chosen.others(train.users, self.trained_by.negatives, rng)
        return Offered(self.coder, train, drawn)

    def loss(self, batch: Offers) -> Float[Tensor, ""]:
        """The summed losses of chosen and unchosen items; `l2` for each candidate."""
        nll = self._nll(batch).sum()
        if not self.settings.l2 or self.chosen is None:
            return nll
        history = batch.history
        occurring = torch.cat([history.ids[history.real], batch.candidate.flatten()])
        counts = torch.from_numpy(self.chosen.counts).to(nll)
        penalty = occurring_l2(self.model.item_table, occurring, counts)
        return nll + batch.num_targets * self.settings.l2 * penalty

    def _nll(self, batch: Offers) -> Float[Tensor, " batch"]:
        first = self.coder.catalogue.first_item
        return self.trained_by.nll(self.model, batch.history, batch.candidate, first)

    @property
    def at_once(self) -> int:
        """The batch size of predictions: smaller for many items."""
        return max(1, min(AT_ONCE, SCORED_AT_ONCE // (self.candidates or len(self.items))))

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each example, the rank of its item, and the scores of the items sampled with it.

        Items in the history are not ranked, unless chosen again. Ties count against the chosen
        item. An item in no training history cannot be found: its rank is None.
        """
        part = self.data.examples[split]
        held = [set(history.tolist()) for history in part.take(rows)]
        drawn = self._impressions(split, rows, held)
        batch = self.coder.collate(part, rows, drawn.padded(NO_ITEM)).to(device_of(self.model))
        own, rivals, shown = self._scores(batch, held)
        few = replace(batch, candidate=batch.candidate[:, : 1 + self.trained_by.negatives])
        costs = self._nll(few).double().cpu()
        # Not `>=`: a score that is no number stands before the chosen one, too.
        ranks = 1 + (~(rivals < own)).sum(1)
        found = zip(rows, ranks, costs, own[:, 0], shown, drawn.lengths, strict=True)
        return [
            {
                "user": int(part.users[row]),
                "rank": int(rank),
                "nll": float(cost),
                "own": float(mine),
                "others": others[:count].tolist(),
            }
            if part.targets[row] != UNKNOWN_ITEM
            else {"user": int(part.users[row]), "rank": None}
            for row, rank, cost, mine, others, count in found
        ]

    def _impressions(self, split: str, rows: np.ndarray, held: Sequence[set[int]]) -> Ragged:
        """Items for each example, the same in whatever company it is asked."""
        count = max(self.settings.impressions, self.candidates - 1)
        targets, found = self.data.examples[split].targets, []
        for row, seen in zip(rows, held, strict=True):
            rng = np.random.default_rng([self.seed, int(row), *split.encode()])
            found.append(impressions(int(targets[row]), seen, self.items, count, rng))
        return Ragged.of(found)

    def _scores(self, batch: Offers, held: Sequence[set[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of the chosen item, of all that are ranked with it, and of those drawn."""
        candidate, first = batch.candidate.cpu(), self.items.start
        if self.candidates:
            scores = self.model(batch.history, batch.candidate).double().cpu()
            rivals = scores.masked_fill(candidate == NO_ITEM, -torch.inf)[:, 1 : self.candidates]
            return scores[:, :1], rivals, scores[:, 1 : 1 + self.settings.impressions]
        every = self.predictor.scores(batch.history).double().cpu()
        scores = every.gather(1, (candidate - first).clamp(min=0))
        for row, (seen, chosen) in enumerate(zip(held, candidate[:, 0].tolist(), strict=True)):
            gone = [number - first for number in seen | {chosen} if number >= first]
            every[row, gone] = -torch.inf
        return scores[:, :1], every, scores[:, 1:]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The mean loss, hit rate and NDCG of the rankings, AUC and GAUC against sampled items.

        An item that cannot be found is a miss, and does not count otherwise; `unknown` is the share
        of such items, if there are any.
        """
        return ranking_scores(records, self.coder.top_k, 1 + self.trained_by.negatives)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The distribution of the chosen items' ranks, and the histories with the worst ones."""
        examples, known = self.data.examples[split], self.coder.catalogue
        found = [n for n, record in enumerate(records) if record["rank"] is not None]
        losses = [float(records[n]["rank"]) for n in found]

        def example(place: int) -> JudgedExample:
            row, rank = np.array([found[place]]), records[found[place]]["rank"]
            history = next(iter(examples.take(row, self.coder.longest)))
            past = ", ".join(known.decode(history.tolist()))
            chosen = known.items[int(examples.targets[row[0]])]
            return JudgedExample(past, chosen, f"rank {rank:,}", float(rank))

        ranks = np.array(losses)
        bounds = [bound for bound in (1, 3, 10, 30, 100, 1000) if bound <= len(self.items)]
        rows = tuple((bound, round(float((ranks <= bound).sum()) / len(records), 4))
                     for bound in bounds)  # fmt: skip
        table = DetailTable(
            "found", "share of examples whose item stands so high", ("rank at most", "share"), rows
        )
        return Details((table,), worst_of(losses, worst, example))

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Validation histories and what came next."""
        if "valid" not in self.data.examples:
            return []
        examples, known = self.data.examples["valid"], self.coder.catalogue
        rows = np.arange(min(count, len(examples)))
        histories = examples.take(rows, self.coder.longest)
        return [
            (known.decode(history.tolist()), known.items[target])
            for history, target in zip(histories, examples.targets[rows], strict=True)
        ]
