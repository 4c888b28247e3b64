"""Evaluation of a model on a whole split, each process on its share."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from regard.tasks.task import Record, Task
from regard.training.parallel import readable
from regard.training.ranks import Ranks
from regard.training.sharding import is_sharded


def scored(task: Task, split: str, records: Sequence[Record]) -> dict[str, float]:
    """The metrics of a split's records; empty if there are none."""
    return task.score(split, records) if records else {}


def split_records(
    task: Task, wrapped: nn.Module, ranks: Ranks, split: str, beams: int = 1
) -> list[Record]:
    """The records of all examples of a split, in order; none if there is no split.

    Each process evaluates its share of the examples and receives the records of all. If the
    weights are sharded, every process evaluates all of them, because processes can then only
    compute together.
    """
    size = task.size(split)
    if not size:
        return []
    share = slice(None) if is_sharded(wrapped) else slice(ranks.rank, None, ranks.world)
    rows = np.arange(size)[share]
    with evaluating(task.predictor.model), readable(wrapped):
        records = task.examine(split, rows, beams)
    ranks.broadcast()
    by_row: dict[int, Record] = {}
    for text in ranks.gather(json.dumps([rows.tolist(), records])):
        by_row.update(zip(*json.loads(text), strict=True))
    return [by_row[row] for row in range(size)]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients, restored afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
