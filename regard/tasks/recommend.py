"""Recommendation: what a user chooses next, judged by where it stands in a ranking."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.data.encoding.catalogue import UNKNOWN
from regard.data.encoding.histories import Prefixes
from regard.data.encoding.ragged import Ragged
from regard.data.feeding.batching import by_tokens
from regard.data.feeding.feed import Part
from regard.models.item_embedding import occurring_l2
from regard.tasks.offers import FIRST, Chosen, Offered, Offers, impressions
from regard.tasks.ranking import auc, group_auc, hit_rate, ndcg
from regard.tasks.recommender import SCORED_AT_ONCE, Recommender, spelled
from regard.tasks.task import Record

K = 10
SHOWN = 20
"""Items drawn for the AUC of each example, beside the wanted one."""
MOST_RANKED = 10_000
EXAMINED_AT_ONCE = 64


class Recommend:
    """The task: learn from histories what comes next.

    Args:
        predictor: the model and the catalogue.
        examples: histories and targets of each split (see `data.histories`).
        batch_tokens: cells of a micro-batch, padding included.
        negatives: items offered beside each one that was chosen, drawn anew in each epoch from
            those that the user did not choose in training. A model that draws its own gets none.
        candidates: how many items an examination ranks: the wanted one among so many less one,
            drawn for each example once and for all; 0 is all items, or 100 of more than 10 000.
        l2: mini-batch-aware regularisation (see `occurring_l2`), added to the mean loss.
        seed: of the items that are drawn.

    Raises `ValueError` for numbers that make no sense and a catalogue of fewer than two items.
    """

    name, metric = "recommend", "ndcg"

    def __init__(
        self,
        predictor: Recommender,
        examples: Mapping[str, Prefixes],
        *,
        batch_tokens: int = 4096,
        negatives: int = 4,
        candidates: int = 0,
        l2: float = 0.0,
        seed: int = 0,
        fixed: int = 4,
    ) -> None:
        if negatives < 1 or candidates < 0 or candidates == 1:
            raise ValueError(
                f"negatives must be at least 1 and candidates 0 or at least 2, got {negatives} and "
                f"{candidates}"
            )
        items = len(predictor.catalogue)
        if items < FIRST + 2:
            raise ValueError(f"there must be two items to choose from, there are {items - FIRST}")
        self.predictor, self.examples, self.items = predictor, examples, items
        self.batch_tokens, self.l2, self.seed = batch_tokens, l2, seed
        self.negatives = 0 if predictor.model.samples_itself else negatives
        self.candidates = candidates or (0 if items - FIRST <= MOST_RANKED else 100)
        self.chosen = Chosen(examples["train"], items) if "train" in examples else None
        self.fixed = _fixed(predictor, examples["valid"], fixed) if "valid" in examples else []

    def part(self, epoch: int) -> Part:
        if self.chosen is None:
            raise ValueError("there are no examples to train on")
        train, rng = self.examples["train"], np.random.default_rng([self.seed, epoch])
        drawn = self.chosen.others(train.users, self.negatives, rng)
        return Offered(train, drawn, self.predictor.longest)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return by_tokens(lengths, self.batch_tokens, rng)

    def loss(self, batch: Offers) -> Float[Tensor, ""]:
        model = self.predictor.model
        nats = model.nats(batch.history, batch.lengths, batch.candidate).sum()
        if not self.l2 or self.chosen is None:
            return nats
        occurring = torch.cat([batch.history.flatten(), batch.candidate.flatten()])
        counts = torch.from_numpy(self.chosen.counts).to(nats)
        return nats + batch.labels * self.l2 * occurring_l2(model.embedding, occurring, counts)

    def size(self, split: str) -> int:
        return len(self.examples[split]) if split in self.examples else 0

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each example where its item stands, and the scores of the items drawn beside it.

        What a history holds is not ranked again, unless it is the wanted item. An item that scores
        as high as the wanted one stands before it. An item that no training history holds cannot
        be found: its rank is None.
        """
        part = self.examples[split]
        records: list[Record] = [{} for _ in rows]
        order = np.argsort(part.stops[rows] - part.starts[rows], kind="stable")
        ranked = self.candidates or self.items
        at_once = max(1, min(EXAMINED_AT_ONCE, SCORED_AT_ONCE // ranked))
        for start in range(0, len(rows), at_once):
            some = order[start : start + at_once]
            for row, record in zip(some, self._asked(split, rows[some]), strict=True):
                records[row] = record
        return records

    def _asked(self, split: str, rows: np.ndarray) -> list[Record]:
        """The records of some examples."""
        part, model = self.examples[split], self.predictor.model
        held = [set(history.tolist()) for history in part.take(rows)]
        count = max(SHOWN, self.candidates - 1)
        drawn = Ragged.of(
            impressions(int(part.targets[row]), seen, self.items, count, self._rng(split, int(row)))
            for row, seen in zip(rows, held, strict=True)
        )
        offered = Offered(part, drawn.padded(0), self.predictor.longest)
        batch = offered.batch(rows, np.arange(len(rows))).to(model.output.weight.device)
        own, rivals, shown = self._scores(batch, held)
        few = batch.candidate[:, : 1 + self.negatives]
        nats = model.nats(batch.history, batch.lengths, few).double().cpu()
        # Not `>=`: a score that is no number stands before the wanted one, too.
        ranks = 1 + (~(rivals < own)).sum(1)
        found = zip(rows, ranks, nats, own[:, 0], shown, drawn.lengths, strict=True)
        return [
            {
                "user": int(part.users[row]),
                "rank": int(rank),
                "nats": float(cost),
                "own": float(mine),
                "others": others[:drawn_for].tolist(),
            }
            if part.targets[row] != UNKNOWN
            else {"user": int(part.users[row]), "rank": None}
            for row, rank, cost, mine, others, drawn_for in found
        ]

    def _scores(self, batch: Offers, held: Sequence[set[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of the wanted item, of all that are ranked with it, and of those drawn."""
        candidate = batch.candidate.cpu()
        if self.candidates:
            scores = self.predictor.model(batch.history, batch.lengths, batch.candidate)
            scores = scores.double().cpu()
            rivals = scores.masked_fill(candidate == 0, -torch.inf)[:, 1 : self.candidates]
            return scores[:, :1], rivals, scores[:, 1 : 1 + SHOWN]
        every = self.predictor.scores(batch.history, batch.lengths).double().cpu()
        scores = every.gather(1, (candidate - FIRST).clamp(min=0))
        for row, (seen, wanted) in enumerate(zip(held, candidate[:, 0].tolist(), strict=True)):
            every[
                row, [number - FIRST for number in seen | {wanted} if number >= FIRST]
            ] = -torch.inf
        return scores[:, :1], every, scores[:, 1:]

    def _rng(self, split: str, row: int) -> np.random.Generator:
        """The same for an example in whatever company it is asked."""
        return np.random.default_rng([self.seed, row, *split.encode()])

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """The mean loss, HR@10 and NDCG@10 of the rankings, AUC and GAUC beside the drawn items.

        An item that cannot be found is a miss, and counts in nothing else; `unknown` is the share
        of such items, where there are any.
        """
        ranks, known = [r["rank"] for r in records], [r for r in records if r["rank"] is not None]
        own, others = [[r["own"]] for r in known], [r["others"] for r in known]
        area = auc(
            np.array([row[0] for row in own]), np.array([score for row in others for score in row])
        )
        by_user = group_auc([r["user"] for r in known], own, others)
        labels = len(known) * (1 + self.negatives)
        scores = {"ndcg": ndcg(ranks, K), "hit_rate": hit_rate(ranks, K)}
        if known:
            scores["loss"] = sum(r["nats"] for r in known) / labels
            scores["auc"] = 0.5 if area is None else area
            scores["gauc"] = 0.5 if by_user is None else by_user
        if len(known) < len(records):
            scores["unknown"] = 1 - len(known) / len(records)
        return scores


def _fixed(predictor: Recommender, examples: Prefixes, count: int) -> list[tuple[str, str | None]]:
    """Some histories as texts, and what came next."""
    catalogue, rows = predictor.catalogue, np.arange(min(count, len(examples)))
    histories = examples.take(rows, predictor.longest)
    return [
        (spelled(catalogue.decode(history.tolist())), catalogue.items[target])
        for history, target in zip(histories, examples.targets[rows], strict=True)
    ]
