"""What classification of pictures learns from its data: colours and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from torch import Tensor

from regard.data.encoding.augment import Augment, Unchanged
from regard.data.encoding.pictures import PictureExamples, Pictures, kept_picture
from regard.tasks.classify.coder import LABELS, labels_of, load_labels, save_labels
from regard.tasks.colors import Colors
from regard.tasks.picture_coder import PictureBatch, PictureCoder, changes, coder_entries


@dataclass(frozen=True, eq=False)
class LabelledPictures(PictureBatch):
    """Pictures and their labels, -1 for one that is not known."""

    label: Int[Tensor, " batch"]

    @property
    def num_targets(self) -> int:
        """Number of pictures that have a label."""
        return int((self.label >= 0).sum())


@dataclass(frozen=True, eq=False)
class PicturesAndLabels(PictureCoder):
    """The colours of the pictures and the names of the labels."""

    labels: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, Any]:
        """The network sizes determined by the data."""
        return {**super().sizes, "classes": len(self.labels), "labels": self.labels}

    def kept(self, rows: Mapping[str, Any]) -> dict[str, list[np.ndarray]]:
        """The pictures of some rows."""
        return {"pictures": [kept_picture(cell, self.short_side) for cell in rows["image"]]}

    def numbers(self, rows: Mapping[str, Any], judged: bool) -> list[int]:
        """The number of the label of each row; -1 for one that is not known, where it is judged."""
        places = {label: place for place, label in enumerate(self.labels)}
        for label in () if judged else rows["label"]:
            if label not in places:
                raise ValueError(
                    f"the label {label!r} is not among the {len(places)} that are known: "
                    f"{', '.join(self.labels[:10])}"
                )
        return [places.get(label, -1) for label in rows["label"]]

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> PictureExamples:
        """Encode rows of a stream."""
        columns = {name: [row[name] for row in rows] for name in ("image", "label")}
        labels = np.array(self.numbers(columns, judged=False), dtype=np.int32)
        return PictureExamples(Pictures.of(self.kept(columns)["pictures"]), labels)

    def collate(
        self,
        examples: PictureExamples,
        rows: np.ndarray,
        augment: Augment = Unchanged(),
        key: tuple[int, int] = (0, 0),
    ) -> LabelledPictures:
        """These examples as a batch, augmented for an epoch if one is given."""
        fill = self.colors.fill
        found = [
            augment.changed(examples.pictures[row], self.shape, fill, changes(key, int(row)))
            for row in rows
        ]
        return LabelledPictures(self.read(found), labels_of(examples, rows))

    def save(self, folder: Path) -> list[str]:
        """Write both files."""
        save_labels(self.labels, folder)
        return [*super().save(folder), LABELS]

    @classmethod
    def load(cls, folder: Path, entries: Mapping[str, Any]) -> "PicturesAndLabels":
        """Load what `save` wrote; raises `ValueError` when a file is damaged."""
        known = coder_entries(folder, entries)
        return cls(Colors.load(folder), **known, labels=load_labels(folder))
