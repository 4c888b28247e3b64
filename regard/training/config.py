"""How long, how fast and by which rule to learn."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from regard.config import Between, Config, Count, Natural, NonNegative, Positive, Share

Updates = Annotated[int, Between(least=1)]


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """How long, how fast and by which rule to learn.

    With `epochs` or `steps` a run is reproducible; with `seconds` it depends on the machine's
    speed. The budget that runs out first ends the run.

    Args:
        start: a run, or the folder of a model, whose best weights initialize the network.
        epochs: budget of passes through the data.
        least_steps: minimum number of updates before `epochs` may end a run: an epoch of little
            data is one or two.
        steps: budget of updates.
        seconds: budget of wall time, everything included; the clock never stops.
        optimizer: `adamw`, `muon` for the matrices inside the network and AdamW for the rest, or
            `sgd`, gradient descent with momentum.
        learning_rate: the peak learning rate.
        schedule: after the warm-up the learning rate falls to `floor` times the peak along a
            cosine over the budget, or as 1/sqrt(step) (Vaswani et al. 2017), or stays constant.
        warmup: updates over which the learning rate rises; below 1, a fraction of the budget.
        floor: see `schedule`.
        beta2: Adam's decay of the second-moment estimate.
        momentum: for `sgd` only; 0.9 if None.
        weight_decay: on matrices and kernels only; decoupled, as in AdamW, and with `sgd` added to
            the gradient, so that momentum includes it.
        clip: maximum norm of the gradient.
        accumulate: micro-batches per update, over all processes together.
        precision: `bf16` is autocast; weights stay float32.
        compile: run the loss through `torch.compile`.
        recompute: recompute the activations inside the blocks of a stack instead of saving them.
        evaluate_every: updates between evaluations on the validation data; 0 is once per epoch.
        patience: evaluations without improvement after which the run ends; 0 is never.
        patience_steps: minimum number of updates since the best evaluation before `patience` may
            end the run.
        average: the weights of this many last evaluations are averaged at the end, and kept if
            better.
        save_every_minutes: between checkpoints, in addition to those at every evaluation.
        max_skips: consecutive updates that may be skipped because loss or gradient is not finite.
        seed: of weights, order, dropout and everything else that is random.

    Raises `ValueError` when there is no budget or a value is out of bounds, `TypeError` for one of
    another type.
    """

    start: str | None = None
    epochs: Positive | None = None
    least_steps: Natural = 0
    steps: Updates | None = None
    seconds: Positive | None = None
    optimizer: Literal["adamw", "muon", "sgd"] = "adamw"
    learning_rate: Positive = 3e-3
    schedule: Literal["cosine", "inverse_sqrt", "constant"] = "cosine"
    warmup: NonNegative = 0.02
    floor: Share = 0.0
    beta2: Share = 0.99
    momentum: Share | None = None
    weight_decay: NonNegative = 0.01
    clip: Positive = 1.0
    accumulate: Count = 1
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    recompute: bool = False
    evaluate_every: Natural = 0
    patience: Natural = 0
    patience_steps: Natural = 50
    average: Natural = 0
    save_every_minutes: Positive = 10.0
    max_skips: Natural = 0
    seed: Natural = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.steps is None and self.seconds is None:
            raise ValueError("give a budget: epochs, steps or seconds")
        if self.momentum is not None and self.optimizer != "sgd":
            raise ValueError(
                f"momentum {self.momentum:g} is for optimizer sgd, and optimizer is "
                f"{self.optimizer}; leave it out, or say optimizer=sgd"
            )
        if self.schedule == "inverse_sqrt" and self.warmup < 1:
            raise ValueError(
                f"inverse_sqrt needs a warm-up of at least 1 update, got {self.warmup}"
            )

    def spent(self, *, epochs: float, steps: int, seconds: float) -> float:
        """The fraction of the budget that is spent, 1 when it has run out.

        >>> TrainConfig(epochs=4.0, steps=100).spent(epochs=1.0, steps=50, seconds=3.0)
        0.5
        >>> TrainConfig(epochs=4.0, least_steps=80).spent(epochs=2.0, steps=20, seconds=3.0)
        0.25
        """
        parts = [(epochs, self.epochs), (steps, self.steps), (seconds, self.seconds)]
        shares = [used / all_ for used, all_ in parts if all_ is not None]
        if self.epochs is not None and self.least_steps:
            shares[0] = min(shares[0], steps / self.least_steps)
        return min(1.0, max(shares))

    def patience_is_spent(self, *, evaluations: int, updates: int) -> bool:
        """Whether this many evaluations, and updates, without improvement end the run.

        >>> config = TrainConfig(epochs=9.0, patience=3)
        >>> [config.patience_is_spent(evaluations=3, updates=n) for n in (6, 50)]
        [False, True]
        """
        return 0 < self.patience <= evaluations and updates >= self.patience_steps

    def learning_rate_at(self, step: int, spent: float) -> float:
        """The learning rate of update `step` (from 1) when this fraction of the budget is spent.

        >>> config = TrainConfig(steps=9, schedule="inverse_sqrt", warmup=100.0, learning_rate=1.0)
        >>> [round(config.learning_rate_at(step, 0.0), 2) for step in (1, 50, 100, 400, 10_000)]
        [0.01, 0.5, 1.0, 0.5, 0.1]
        """
        if self.warmup >= 1:
            rise = min(1.0, step / self.warmup)
        else:
            rise = min(1.0, spent / self.warmup) if self.warmup else 1.0
        fall = 1.0
        if self.schedule == "inverse_sqrt":
            fall = min(1.0, math.sqrt(self.warmup / step))
        elif self.schedule == "cosine":
            fall = self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, spent)))
        return self.learning_rate * rise * fall
