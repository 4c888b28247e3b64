"""The base of image tasks: images augmented anew in every epoch."""

from pathlib import Path
from typing import Any

import numpy as np

from regard.data.feeding.batching import evenly
from regard.data.reading.corpus import Corpus
from regard.data.reading.pictures import UnreadablePictureError
from regard.data.reading.unreadable import INSTEAD
from regard.tasks.picture_coder import EpochOfPictures
from regard.tasks.task import Encoded, Task


class PictureTask(Task):
    """A task whose examples are images; its settings have `augment` and `batch_size`."""

    settings: Any

    @classmethod
    def prepare(
        cls,
        data: Corpus | str | None,
        settings: Any = None,
        place: Path | None = None,
        coder: Any = None,
    ) -> Encoded:
        """As for any task; the error about a damaged image says how to leave such images out."""
        try:
            return super().prepare(data, settings, place, coder)
        except UnreadablePictureError as error:
            raise ValueError(f"{error}; {INSTEAD}") from None

    def part(self, epoch: int) -> Any:
        """The training images of one epoch, with augmentation determined by seed and epoch."""
        key = (self.seed, epoch)
        if self.stream is not None:
            part = self.stream(epoch)
            return EpochOfPictures(part.coder, part.examples, self.settings.augment, key)
        train = self.data.examples["train"]
        return EpochOfPictures(self.coder, train, self.settings.augment, key)

    def plan(self, lengths: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        """Micro-batches with equally many examples."""
        return evenly(len(lengths), self.settings.batch_size, rng)

    @property
    def at_once(self) -> int:
        """The batch size of predictions."""
        return self.settings.batch_size
