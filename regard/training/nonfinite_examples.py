"""Which examples caused a loss that is not finite."""

import json
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.data.feeding.feed import StepBatches
from regard.tasks.task import Task
from regard.training.config import TrainConfig
from regard.training.ranks import Ranks
from regard.training.sharding import is_shard


def nonfinite_examples(
    task: Task,
    ranks: Ranks,
    config: TrainConfig,
    step: StepBatches,
    accumulate: int,
    losses: Float[Tensor, " batches"],
) -> str:
    """Name the rows of a step whose own loss is not finite, or else all that may be the cause.

    Every process must call it; all get the same sentence. Rows count from 0, without those that
    were dropped as too long.

    Args:
        accumulate: micro-batches of the step over all processes.
        losses: of this process's micro-batches.
    """
    rng = np.random.default_rng([config.seed, step.epoch])
    planned = task.plan(task.part(step.epoch).lengths, rng)[step.index * accumulate :][:accumulate]
    mine = planned[ranks.rank :: ranks.world]
    bad = [
        rows for rows, loss in zip(mine, losses.tolist(), strict=False) if not math.isfinite(loss)
    ]
    suspects = np.concatenate(bad) if bad else np.array([], dtype=int)
    found = json.dumps(_alone(task, ranks, step, suspects))
    everyone = [json.loads(text) for text in ranks.gather(found)]
    guilty = sorted(row for guilty, _ in everyone for row in guilty)
    suspected = sorted(row for _, suspected in everyone for row in suspected)
    if guilty:
        return f"it is not finite for row {_listed(guilty)} of the training data alone"
    rows = suspected or sorted(int(row) for rows in planned for row in rows)
    return f"it has the rows {_listed(rows)} of the training data"


def _alone(
    task: Task, ranks: Ranks, step: StepBatches, suspects: np.ndarray
) -> tuple[list[int], list[int]]:
    """The rows whose loss is not finite when they are computed one by one, and all that were."""
    rows = [int(row) for row in suspects]
    if any(is_shard(p) for p in task.predictor.model.parameters()):
        # Sharded weights compute only when every process does.
        return [], rows
    part = task.part(step.epoch)
    with torch.no_grad():
        losses = [float(task.loss(part.batch(np.array([r])).to(ranks.device))) for r in rows]
    return [row for row, loss in zip(rows, losses, strict=True) if not math.isfinite(loss)], rows


def _listed(rows: list[int], most: int = 8) -> str:
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return ", ".join(map(str, rows[:most])) + more
