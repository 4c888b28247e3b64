"""Rows to learn from, made of a few letters, and plain Adam to learn them with."""

from typing import Any

import numpy as np
import torch

from regard._io.extra import extra


def words(count: int, shortest: int, longest: int, seed: int = 0) -> list[str]:
    """Words of the letters a to e."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return ["".join(rng.choice(list("abcde"), length)) for length in lengths]


def splits_of_words(count: int, shortest: int, longest: int) -> dict[str, list[str]]:
    """Words to train on, to validate and to test."""
    sizes = {"train": count, "valid": 23, "test": 17}
    return {
        split: words(size, shortest, longest, seed)
        for seed, (split, size) in enumerate(sizes.items())
    }


def table(**columns: list[str]) -> Any:
    """Rows as the reading of data gives them."""
    return extra("datasets").Dataset.from_dict(columns)


def learn(task: Any, steps: int, rate: float = 0.01) -> None:
    """Plain Adam, its rate falling to nothing, for tests of tasks alone."""
    model, done, epoch = task.predictor.model, 0, 0
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    while done < steps:
        part, rng = task.part(epoch), np.random.default_rng(epoch)
        epoch += 1
        for rows in task.plan(part.lengths, rng):
            batch = part.batch(rows)
            optimizer.param_groups[0]["lr"] = rate * max(0.0, 1 - done / steps)
            optimizer.zero_grad()
            (task.loss(batch) / batch.num_targets).backward()
            optimizer.step()
            done += 1
    model.eval()
