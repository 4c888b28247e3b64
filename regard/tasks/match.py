"""Matching: do two sentences belong together? A label to each pair."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from regard.data.encoding.examples import Examples, Reader, encoded
from regard.data.feeding.batching import by_tokens
from regard.data.feeding.feed import Part
from regard.tasks.classify import EXAMINED_AT_ONCE, label_scores
from regard.tasks.matcher import BETWEEN, Matched, Matcher
from regard.tasks.task import Record


class Match:
    """The task: learn labels of pairs of sentences.

    Where there are two labels, the second says that a pair belongs together (`yes` behind `no`, `1`
    behind `0`), and pairs with the same left sentence are candidates that are ranked by it.

    Args:
        predictor: the model, its tokenizer and the labels.
        examples: token numbers of both sides for each split, and its labels, -1 for an unknown one.
        texts: the splits as they were written, with columns `left`, `right` and `label`.
        batch_tokens: cells of a micro-batch, padding included.
        smoothing: of the labels.

    Set `stream` to train on examples that are not in memory (see `Streamed`).

    Raises `ValueError` for a pair without a word on one side.
    """

    name, metric = "match", "accuracy"

    def __init__(
        self,
        predictor: Matcher,
        examples: Mapping[str, Examples],
        texts: Mapping[str, Any],
        *,
        batch_tokens: int = 4096,
        smoothing: float = 0.0,
        fixed: int = 4,
    ) -> None:
        for split, known in examples.items():
            _require_words(split, known)
        self.predictor, self.examples = predictor, examples
        self.batch_tokens, self.smoothing = batch_tokens, smoothing
        self.stream: Callable[[int], Part] | None = None
        rows = texts["valid"][:fixed] if "valid" in texts else {"left": [], "right": []}
        pairs = zip(rows["left"], rows["right"], strict=True)
        # A tab inside a sentence would be read as the one between them.
        shown = [BETWEEN.join(side.replace(BETWEEN, " ") for side in pair) for pair in pairs]
        self.fixed = list(zip(shown, rows.get("label", []), strict=True))

    def part(self, epoch: int) -> Part:
        if self.stream is not None:
            return self.stream(epoch)
        return _Part(self.examples["train"], self.predictor.tokenizer.pad)

    def encoded(self, rows: Sequence[Mapping[str, str]], longest: int) -> Part:
        """Pairs as they come from a stream, those that are not too long."""
        tokenizer = self.predictor.tokenizer
        labels = self.predictor.labels
        readers: dict[str, Reader] = {"left": tokenizer, "right": tokenizer, "label": labels}
        examples = encoded(rows, readers, longest)
        _require_words("stream", examples)
        return _Part(examples, tokenizer.pad)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        return by_tokens(lengths, self.batch_tokens, rng)

    def loss(self, batch: Matched) -> Float[Tensor, ""]:
        logits = self.predictor.model(*batch.sides)
        return cross_entropy(
            logits.float(),
            batch.label,
            ignore_index=-1,
            reduction="sum",
            label_smoothing=self.smoothing,
        )

    def size(self, split: str) -> int:
        return len(self.examples[split]) if split in self.examples else 0

    @torch.no_grad()
    def examine(self, split: str, rows: np.ndarray, beams: int = 1) -> list[Record]:
        """For each pair: the label wanted, the answer, the wanted one's nats; what ranks it."""
        examples = self.examples[split]
        part = _Part(examples, self.predictor.tokenizer.pad)
        model, two = self.predictor.model, len(self.predictor.labels) == 2
        device = model.output.weight.device
        records: list[Record] = [{} for _ in rows]
        order = np.argsort(part.lengths[rows].sum(1), kind="stable")
        for start in range(0, len(rows), EXAMINED_AT_ONCE):
            some = order[start : start + EXAMINED_AT_ONCE]
            batch = part.batch(rows[some]).to(device)
            scores = model(*batch.sides).float().log_softmax(-1).cpu()
            lefts = examples.columns[0].take(rows[some])
            for row, score, label, left in zip(
                some, scores, batch.label.tolist(), lefts, strict=True
            ):
                nats = -float(score[label]) if label >= 0 else 0.0
                records[row] = {"wanted": label, "answer": int(score.argmax()), "nats": nats}
                if two:
                    records[row] |= {"group": _digest(left), "match": float(score[1] - score[0])}
        return records

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy, F1 averaged over labels; MAP and MRR where candidates can be ranked.

        Pairs without a known label do not count.
        """
        known = [r for r in records if r["wanted"] >= 0]
        groups: dict[str, list[tuple[float, bool]]] = {}
        for record in known:
            if "group" in record:
                candidate = (record["match"], record["wanted"] == 1)
                groups.setdefault(record["group"], []).append(candidate)
        return label_scores(records) | ranking(list(groups.values()))


def ranking(groups: Sequence[Sequence[tuple[float, bool]]]) -> dict[str, float]:
    """MAP and MRR of candidates, each with its score and whether it is right; {} without any.

    Average precision is the mean over right candidates of the share of right ones among all down to
    it; reciprocal rank is 1 / the place of the first right one. As for WikiQA, a group counts only
    if it has right and wrong candidates. Of equal scores the wrong come first.

    >>> ranking([[(0.9, False), (0.8, True), (0.1, True)], [(0.3, True)]])
    {'map': 0.5833333333333333, 'mrr': 0.5}
    """
    precisions, first = [], []
    for group in groups:
        right = [is_right for _, is_right in sorted(group, key=lambda each: (-each[0], each[1]))]
        if all(right) or not any(right):
            continue
        places = np.flatnonzero(right) + 1
        precisions.append(float((np.arange(1, len(places) + 1) / places).mean()))
        first.append(1 / int(places[0]))
    if not precisions:
        return {}
    return {"map": float(np.mean(precisions)), "mrr": float(np.mean(first))}


def _require_words(split: str, examples: Examples) -> None:
    empty = np.flatnonzero((examples.lengths == 0).any(1))
    if len(empty):
        row = int(empty[0])
        side = "right" if examples.lengths[row, 0] else "left"
        raise ValueError(
            f"the {side} sentence of row {int(examples.rows[row]) + 1} in {split} is empty "
            f"({len(empty)} such rows); remove the row or fill it in"
        )


def _digest(tokens: np.ndarray) -> str:
    return hashlib.blake2b(tokens.astype("<i8").tobytes(), digest_size=8).hexdigest()


@dataclass(frozen=True, eq=False)
class _Part:
    """Both sides and the labels of one split."""

    examples: Examples
    pad: int

    @property
    def lengths(self) -> np.ndarray:
        return self.examples.lengths

    def batch(self, rows: np.ndarray) -> Matched:
        lefts, rights = self.examples.take(rows)
        return Matched.of(lefts, rights, self.examples.labels[rows], self.pad)
