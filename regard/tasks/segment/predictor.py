"""A trained network that labels pixels: which classes a picture has, and where they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from regard.data.encoding.decoded import RGB, with_short_side
from regard.data.encoding.masks import resized_mask
from regard.tasks.areas import areas
from regard.tasks.image_classify.predictor import PictureClassifier
from regard.tasks.picture_input import pictures_of
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.tasks.segment.coder import PicturesAndMasks
from regard.tasks.segment.metrics import shares_said
from regard.vision.place_gates import place_gates

MOST_CLASSES = 8
"""How many classes of an image a page shows, the largest first."""


class Segmenter(Predictor):
    """A segmentation network, with color statistics and class names."""

    task, asked = "segment", "PICTURE.png"
    coder: PicturesAndMasks

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        """The share of each class in each image; `masks` returns where they are.

        There is a single answer; its log-probability is the mean over the pixels.

        Raises `ValueError` for a picture that cannot be read, `TypeError` for what is none.
        """
        return [self._answer(name, picture) for name, picture in pictures_of(inputs)]

    def masks(self, inputs: Sequence[Any]) -> list[Int[np.ndarray, "height width"]]:
        """The class index of each pixel, for images of any size; see `coder.labels`.

        Raises `ValueError` for a picture that cannot be read, `TypeError` for what is none.
        """
        found = []
        for _, picture in pictures_of(inputs):
            classes = self._scores(picture).argmax(0).numpy()
            found.append(resized_mask(classes[:, :, None], picture.shape[:2])[:, :, 0])
        return found

    def _answer(self, name: str, picture: RGB) -> Answer:
        with place_gates(self.model) as gates:
            scores = self._scores(picture)
        classes = scores.argmax(0)
        counts = torch.bincount(classes.flatten(), minlength=len(scores)).tolist()
        sure = float(scores.amax(0).mean())
        largest = sorted(range(len(counts)), key=lambda each: -counts[each])[:MOST_CLASSES]
        maps = {f"gate {place}": gate[0].cpu() for place, gate in gates.items()}
        # A page opens on the first: rather an object than what is around it.
        for n in reversed(largest):
            if counts[n]:
                maps[self.coder.labels[n]] = (classes == n).float()
        answer = (shares_said(counts, self.coder.labels), min(0.0, sure))
        return Answer(name, (answer,), areas=areas(picture, maps))

    @torch.no_grad()
    def _scores(self, picture: RGB) -> Float[Tensor, "classes height width"]:
        """Log-probabilities of a whole picture, its shorter side as in training."""
        read = self.coder.read([with_short_side(picture, self.coder.short_side)])
        return self.model(read.to(device_of(self.model))).float()[0].log_softmax(0).cpu()

    @staticmethod
    def parse(text: str) -> Any:
        """The path in a command-line text."""
        return PictureClassifier.parse(text)

    @staticmethod
    def typed(given: Any) -> str:
        """The path of an image if it has one; else a placeholder."""
        return PictureClassifier.typed(given)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PicturesAndMasks:
        """Color statistics and classes of a folder."""
        return PicturesAndMasks.load(folder, entries)
