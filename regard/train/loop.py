"""The training loop: draw, compute the loss, step, report, until the budget is spent."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn


class Countable(Protocol):
    """A batch that knows how many tokens it holds."""

    @property
    def tokens(self) -> int:
        """Tokens read and written."""


B = TypeVar("B", bound=Countable)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long and how fast to learn. The learning rate rises, then falls to 0 along a cosine.

    With `steps` alone a run is repeatable; with `seconds` it depends on the speed of the machine.

    Args:
        seconds: budget of wall time, everything included that happens in the loop.
        steps: budget of updates. The budget that is spent first ends the run.
        learning_rate: the greatest one.
        warmup: part of the budget in which the learning rate rises.
        weight_decay: as in AdamW, per unit of learning rate.
        clip: greatest norm of the gradient.
        report_every: seconds between reports.

    Raises `ValueError` when there is no budget or a number is out of bounds.
    """

    seconds: float | None = None
    steps: int | None = None
    learning_rate: float = 3e-3
    warmup: float = 0.02
    weight_decay: float = 0.01
    clip: float = 1.0
    report_every: float = 1.0

    def __post_init__(self) -> None:
        if self.seconds is None and self.steps is None:
            raise ValueError("give a budget: seconds or steps")
        for name in ("seconds", "steps", "learning_rate", "clip"):
            number = getattr(self, name)
            if number is not None and not 0 < number < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {number}")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be at least 0 and below 1, got {self.warmup}")

    def spent(self, seconds: float, steps: int) -> float:
        """The part of the budget that is spent, 1 when it is all gone."""
        return max(
            0.0 if self.seconds is None else seconds / self.seconds,
            0.0 if self.steps is None else steps / self.steps,
        )

    def learning_rate_at(self, spent: float) -> float:
        """The learning rate when this part of the budget is spent."""
        rise = min(1.0, spent / self.warmup) if self.warmup else 1.0
        return self.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))


@dataclass(frozen=True)
class Progress:
    """Where a run stands; `loss` and `tokens_per_second` are means since the last report."""

    step: int
    seconds: float
    spent: float
    loss: float
    learning_rate: float
    tokens_per_second: float

    @property
    def seconds_left(self) -> float:
        """Time to the end at the pace so far."""
        return self.seconds * (1 - self.spent) / self.spent if self.spent else math.inf


def train(
    model: nn.Module,
    loss: Callable[[B], Tensor],
    batches: Iterator[B],
    config: TrainConfig,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Train a model by AdamW until the budget is spent or `stop()` is true; the clock never halts.

    Returns the last report, of a step at most `report_every` seconds ago.

    Raises `FloatingPointError` before the step when the loss or the gradient is not finite; the
    weights are then those of the step before.
    """
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
    )
    began = reported = time.monotonic()
    step, tokens, spent = 0, 0, 0.0
    losses: list[float] = []
    progress = Progress(0, 0.0, 0.0, math.nan, 0.0, 0.0)
    while spent < 1 and not stop():
        batch = next(batches)
        rate = config.learning_rate_at(spent)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        value = loss(batch)
        value.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        _require_finite(value.item(), norm.item(), step, rate)
        optimizer.step()
        step, tokens = step + 1, tokens + batch.tokens
        losses.append(value.item())
        now = time.monotonic()
        spent = min(1.0, config.spent(now - began, step))
        if now - reported >= config.report_every or spent == 1:
            mean, pace = sum(losses) / len(losses), tokens / (now - reported)
            progress = Progress(step, now - began, spent, mean, rate, pace)
            report(progress)
            tokens, losses, reported = 0, [], time.monotonic()
    return progress


def _require_finite(loss: float, norm: float, step: int, rate: float) -> None:
    if not (math.isfinite(loss) and math.isfinite(norm)):
        raise FloatingPointError(
            f"training stopped at step {step}: the loss is {loss} and the norm of its gradient "
            f"{norm}; the weights are those of the step before; try a learning rate below {rate:g}"
        )
