"""What the tasks on pictures have in common: pictures changed anew in every epoch."""

from typing import Any

import numpy as np

from regard.data.feeding.batching import evenly
from regard.tasks.picture_coder import EpochOfPictures
from regard.tasks.task import Task


class PictureTask(Task):
    """A task whose examples are pictures; its settings have `augment` and `batch_size`."""

    settings: Any

    def part(self, epoch: int) -> Any:
        """The training pictures of one epoch, changed as the seed and the epoch decide."""
        key = (self.seed, epoch)
        if self.stream is not None:
            part = self.stream(epoch)
            return EpochOfPictures(part.coder, part.examples, self.settings.augment, key)
        train = self.data.examples["train"]
        return EpochOfPictures(self.coder, train, self.settings.augment, key)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """So many examples to a micro-batch."""
        return evenly(len(lengths), self.settings.batch_size, rng)

    @property
    def at_once(self) -> int:
        """How many examples are asked together."""
        return self.settings.batch_size
