"""A small memory network and a ragged batch of stories for it."""

from typing import Any

import torch

from regard.models.attention import Attends
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.sequences import Sequences

END = 3
SIZES: dict[str, Any] = {"vocab": 17, "end": END, "embed_dim": 6, "memory_size": 4, "noise": 0.0}
COUNTS = (6, 1, 0, 4, 3)
"""Sentences of each story: the first is longer than the memory, the third is empty."""

Batch = tuple[Sequences, Sequences]


def config(**choices: Any) -> MemoryConfig:
    """Small sizes."""
    return MemoryConfig.from_entries(SIZES | choices)


def small_model(attend: Attends = None, **choices: Any) -> MemoryNetwork:
    """A model in float64 whose weights are large enough for it to have opinions."""
    torch.manual_seed(0)
    model = MemoryNetwork(config(**choices), attend)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.5)
    return model.double().eval()


def told() -> list[list[list[int]]]:
    """The sentences of some stories, each of 1 to 5 words."""
    rng = torch.Generator().manual_seed(1)

    def drawn(low: int, high: int, size: int) -> list[int]:
        return torch.randint(low, high, (size,), generator=rng).tolist()

    return [[drawn(4, 17, drawn(1, 6, 1)[0]) for _ in range(count)] for count in COUNTS]


def flat(story: list[list[int]]) -> list[int]:
    """A story as a network reads it, `END` behind every sentence."""
    return [word for sentence in story for word in (*sentence, END)]


def asked() -> list[list[int]]:
    """A question about each of them."""
    return [[5, 9, 12], [7, 4], [16, 4, 8], [11], [6, 6, 10]]


def ragged_batch(filling: int = 0) -> Batch:
    """Stories and questions, padded with `filling`."""
    stories, questions = [flat(story) for story in told()], asked()
    return Sequences.of(stories, filling), Sequences.of(questions, filling)


def alone(row: int) -> Batch:
    """One story and its question, without padding."""
    return Sequences(_row(flat(told()[row]))), Sequences(_row(asked()[row]))


def _row(numbers: list[int]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.long)[None]
