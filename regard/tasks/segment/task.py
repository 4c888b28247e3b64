"""Semantic segmentation, evaluated by the overlap of areas."""

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
from regard.tasks.segment.coder import EdgesAre, MaskedPictures, PicturesAndMasks, classes_of
from regard.tasks.segment.loss import dice_loss, pixel_loss
from regard.tasks.segment.metrics import mask_details, mask_record, mask_scores, shares_said
from regard.tasks.segment.predictor import Segmenter
from regard.tasks.segment.schema import SCHEMA
from regard.tasks.task import Record


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(Config):
    """The settings of segmentation.

    Args:
        size: height and width of the training images, a center crop of each image.
        short_side: length of an image's shorter side, in pixels, before the center crop; 0 for
            `size`.
        colors: how colors are normalized: by the mean and standard deviation of the training
            `data`, those of `imagenet`, or a `half` each.
        augment: random augmentation of the training images and their masks.
        batch_size: images per micro-batch.
        ignored: the class of pixels excluded from loss and metrics, a number such as `255`, or a
            color such as `#ffffff`.
        edges: values that occur only at edges between areas, as anti-aliasing makes them, are
            `refused`, `ignored`, which excludes their pixels from loss and metrics, or `learned`
            as classes.
        dice: weight of the overlap loss, in addition to the cross-entropy of the pixels.

    Raises `ValueError` if `short_side` is less than `size`.
    """

    tag = "segment"

    size: Count = 64
    short_side: Natural = 0
    colors: ColorsOf = "data"
    augment: Augment = Unchanged()
    batch_size: Count = 16
    ignored: str = ""
    edges: EdgesAre = "refused"
    dice: NonNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.short_side:
            require_short_side(self.size, self.short_side)


class Segment(PictureTask):
    r"""The task: learn the class of each pixel.

    The network takes images `[batch, 3, height, width]` of any size and returns logits
    `[batch, classes, height, width]` (see `regard.models.protocols.Segments`). Classes are the
    numbers in masks, or their colors.

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
        """Color statistics of the training images, classes of all masks."""
        labels = classes_of(corpus.splits, settings.ignored, settings.edges)
        short = settings.short_side or settings.size
        colors = colors_learned(settings.colors, corpus.splits["train"], short)
        return PicturesAndMasks(colors, settings.size, short, labels)

    def loss(self, batch: MaskedPictures) -> Float[Tensor, ""]:
        """The mean cross-entropy of the pixels of each image plus its overlap loss, summed.

        Its gradient includes the losses of branches, if a network has some.
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
        """For each image: its loss, and the number of correct pixels per class."""
        batch = self.batch(split, rows)
        logits = self.model(batch.images).float()
        losses = self._losses(logits, batch.mask).tolist()
        masks = batch.mask.cpu().numpy()
        both = zip(logits.cpu(), masks, losses, strict=True)
        return [mask_record(scores, mask, loss) for scores, mask, loss in both]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, pixel accuracy, and the overlap of areas averaged over classes."""
        return mask_scores(records)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The overlap of each class, and the images with the largest losses."""
        rows = self.data.texts[split]
        names = [PictureCell(cell).name for cell in rows["image"]]
        return mask_details(records, self.coder.labels, names, worst)

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some images of the validation data, with the share of each class."""
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
