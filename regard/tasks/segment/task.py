"""Segmentation of pictures: a class to each pixel, and the overlap of areas to judge by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, Natural, NonNegative
from regard.data.encoding.augment import Augment, Unchanged
from regard.data.reading.corpus import Corpus
from regard.data.reading.pictures import PictureCell
from regard.tasks.colors import ColorsOf
from regard.tasks.details import Details
from regard.tasks.picture_coder import colors_learned, require_short_side
from regard.tasks.picture_task import PictureTask
from regard.tasks.segment.coder import MaskedPictures, PicturesAndMasks, classes_of
from regard.tasks.segment.loss import dice_loss, pixel_loss
from regard.tasks.segment.metrics import mask_details, mask_record, mask_scores, shares_said
from regard.tasks.segment.predictor import Segmenter
from regard.tasks.segment.schema import SCHEMA
from regard.tasks.task import Record


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(Config):
    """The options of segmentation.

    Args:
        size: height and width of what is learned from, the middle of each picture.
        short_side: pixels that the shorter side of a picture has before its middle is taken; 0 for
            as many as `size`.
        colors: what colours are measured by: the mean and deviation of the training `data`, those
            of `imagenet`, or a `half` each.
        augment: how pictures and their masks are changed at random while they are learned.
        batch_size: pictures of a micro-batch.
        ignored: the class of pixels that are not judged, a number such as `255`, or a colour such
            as `#ffffff`.
        dice: what the overlap of areas counts in the loss, beside the cross-entropy of the pixels.

    Raises `ValueError` where `short_side` is less than `size`.
    """

    tag = "segment"

    size: Count = 64
    short_side: Natural = 0
    colors: ColorsOf = "data"
    augment: Augment = Unchanged()
    batch_size: Count = 16
    ignored: str = ""
    dice: NonNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.short_side:
            require_short_side(self.size, self.short_side)


class Segment(PictureTask):
    r"""The task: learn the class of each pixel.

    The network takes images `[batch, 3, height, width]` of any size and returns logits
    `[batch, classes, height, width]` (see `regard.models.protocols.Segments`). Classes are the
    numbers in masks, or their colours.

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("images", "masks"):
    ...         Path(folder, name).mkdir()
    ...     for number in range(40):
    ...         Image.new("RGB", (8, 8), (6 * number, 0, 0)).save(f"{folder}/images/{number}.png")
    ...         Image.new("L", (8, 8), number % 2).save(f"{folder}/masks/{number}.png")
    ...     network = lambda classes, **_: torch.nn.Conv2d(3, classes, 1)
    ...     task = Segment(folder, network, SegmentSettings(size=8))
    >>> task.loss(task.batch("train", np.arange(2))).shape, task.coder.labels
    (torch.Size([]), ('0', '1'))
    """

    name, unit, metric = "segment", "pictures", "iou"
    schema = SCHEMA
    settings_type = SegmentSettings
    predictor_type = Segmenter
    settings: SegmentSettings
    coder: PicturesAndMasks

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PicturesAndMasks:
        """Colours of the training pictures, classes of all masks."""
        labels = classes_of(corpus.splits, settings.ignored)
        short = settings.short_side or settings.size
        colors = colors_learned(settings.colors, corpus.splits["train"], short)
        return PicturesAndMasks(colors, settings.size, short, labels)

    def loss(self, batch: MaskedPictures) -> Float[Tensor, ""]:
        """The mean cross-entropy of the pixels of each picture, and its areas' loss, summed.

        Its gradient is that of the loss of branches, too, where a network has some.
        """
        if not hasattr(self.model, "forward_branches"):
            return self._losses(self.model(batch.images), batch.mask).sum()
        logits, branches = self.model.forward_branches(batch.images)
        found = self._losses(logits, batch.mask)
        for other, counts in branches:
            aside = counts * self._losses(other, batch.mask)
            found = found + (aside - aside.detach())
        return found.sum()

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each picture: its loss, and of each class how many pixels are right."""
        batch = self.batch(split, rows)
        logits = self.model(batch.images).float()
        losses = self._losses(logits, batch.mask).tolist()
        masks = batch.mask.cpu().numpy()
        both = zip(logits.cpu(), masks, losses, strict=True)
        return [mask_record(scores, mask, loss) for scores, mask, loss in both]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy of the pixels, and the overlap of areas averaged over classes."""
        return mask_scores(records)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The overlap of each class, and the pictures that cost most."""
        rows = self.data.texts[split]
        names = [PictureCell(cell).name for cell in rows["image"]]
        return mask_details(records, self.coder.labels, names, worst)

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some pictures of the validation data, with how large a part each class is."""
        if "valid" not in self.data.texts:
            return []
        rows = self.data.texts["valid"][:count]
        masks = self.data.examples["valid"].masks
        said = []
        for place in range(len(rows["image"])):
            counts = np.bincount(masks[place].ravel(), minlength=len(self.coder.labels))
            said.append(shares_said(counts[: len(self.coder.labels)].tolist(), self.coder.labels))
        return list(zip(map(PictureCell, rows["image"]), said, strict=True))

    def _losses(self, logits: Tensor, mask: Tensor) -> Float[Tensor, " batch"]:
        known = (mask >= 0).flatten(1).any(1)
        found = pixel_loss(logits, mask)
        if self.settings.dice:
            found = found + self.settings.dice * dice_loss(logits, mask)
        return found * known
