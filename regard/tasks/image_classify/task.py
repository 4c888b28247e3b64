"""Image classification, evaluated by accuracy and F1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, Natural, Share
from regard.data.encoding.augment import Augment, Unchanged
from regard.data.reading.corpus import Corpus
from regard.data.reading.pictures import PictureCell
from regard.tasks.classify.class_weights import ClassWeights, Weighing
from regard.tasks.classify.coder import require_labels
from regard.tasks.classify.label_task import LabelTask
from regard.tasks.classify.loss import label_loss
from regard.tasks.classify.metrics import label_confusion, label_record, label_scores
from regard.tasks.colors import ColorsOf
from regard.tasks.details import Details
from regard.tasks.image_classify.coder import LabelledPictures, PicturesAndLabels
from regard.tasks.image_classify.predictor import PictureClassifier
from regard.tasks.image_classify.schema import SCHEMA
from regard.tasks.label_details import label_details
from regard.tasks.picture_coder import colors_learned, require_short_side
from regard.tasks.picture_task import PictureTask
from regard.tasks.task import Confusion, Record


@dataclass(frozen=True, kw_only=True)
class ImageClassifySettings(Config):
    """The settings of image classification.

    Args:
        size: height and width of the network's input, a center crop of each image.
        short_side: length of an image's shorter side, in pixels, before the center crop; 0 for
            `size`.
        colors: how colors are normalized: by the mean and standard deviation of the training
            `data`, those of `imagenet`, or a `half` each, as for published vision transformers.
        augment: random augmentation of the training images.
        batch_size: images per micro-batch.
        smoothing: label smoothing.
        class_weights: weights of the labels in the training loss: `none` (all examples equal),
            `balanced` (all labels equal), or a number for each label, such as `cat=1,dog=20`.
            The best network is then chosen by its balanced accuracy.

    Raises `ValueError` if `short_side` is less than `size`.
    """

    tag = "image_classify"

    size: Count = 32
    short_side: Natural = 0
    colors: ColorsOf = "data"
    augment: Augment = Unchanged()
    batch_size: Count = 128
    smoothing: Share = 0.0
    class_weights: Weighing = ClassWeights()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.short_side:
            require_short_side(self.size, self.short_side)


class ImageClassify(PictureTask, LabelTask):
    r"""The task: learn the labels of images.

    The network takes images `[batch, 3, size, size]` and returns logits `[batch, classes]`; with
    `attention_weights`, these are displayed (see `regard.models.protocols`).

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> def network(classes, image_size, **_):
    ...     height, width = image_size
    ...     linear = torch.nn.Linear(3 * height * width, classes)
    ...     return torch.nn.Sequential(torch.nn.Flatten(), linear)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in range(40):
    ...         color = ("red", "blue")[number % 2]
    ...         path = Path(folder, color, f"{number}.png")
    ...         path.parent.mkdir(exist_ok=True)
    ...         Image.new("RGB", (8 + number, 8), color).save(path)
    ...     task = ImageClassify(folder, network, ImageClassifySettings(size=8))
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, unit = "image_classify", "pictures"
    schema = SCHEMA
    settings_type = ImageClassifySettings
    predictor_type = PictureClassifier
    settings: ImageClassifySettings
    coder: PicturesAndLabels

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PicturesAndLabels:
        """Color statistics of the training images, labels of all."""
        require_labels(corpus)
        short = settings.short_side or settings.size
        colors = colors_learned(settings.colors, corpus.splits["train"], short)
        return PicturesAndLabels(colors, settings.size, short, corpus.labels)

    def loss(self, batch: LabelledPictures) -> Float[Tensor, ""]:
        """The summed cross-entropy of the labels, including an auxiliary loss."""
        smoothing = self.settings.smoothing
        return label_loss(self.model, (batch.images,), batch.label, smoothing, self.weights)

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each image: the label, the prediction, and the label's negative log-likelihood."""
        batch = self.batch(split, rows)
        scores = self.model(batch.images).float().log_softmax(-1).cpu()
        return [label_record(s, n) for s, n in zip(scores, batch.label.tolist(), strict=True)]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss, accuracy and macro F1; images without a known label do not count."""
        return label_scores(records)

    def confusion(self, records: Sequence[Record]) -> Confusion | None:
        """The confusion matrix, of examples whose label is known."""
        return label_confusion(records, self.coder.labels)

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """Precision and recall of each label, the confusion matrix, and the worst mistakes."""
        return label_details(
            records, self.coder.labels, lambda place: self.written(split, place), worst
        )

    def written(self, split: str, place: int) -> tuple[str, str]:
        """The name of an image, and its label as in the data."""
        row = self.data.texts[split][int(self.data.examples[split].rows[place])]
        return PictureCell(row["image"]).name, str(row["label"])

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some images of the validation data, with their labels."""
        if "valid" not in self.data.texts:
            return []
        rows = self.data.texts["valid"][:count]
        return list(zip(map(PictureCell, rows["image"]), map(str, rows["label"]), strict=True))
