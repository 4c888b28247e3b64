"""The predictor of image classification, with where it attended."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from regard.data.encoding.decoded import RGB
from regard.data.reading.pictures import PictureCell
from regard.tasks.areas import areas
from regard.tasks.classify.predictor import likeliest
from regard.tasks.image_classify.coder import PicturesAndLabels
from regard.tasks.picture_input import pictures_of
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.vision.place_gates import place_gates


class PictureClassifier(Predictor):
    """A network that classifies images, with their color statistics and label names."""

    task, asked = "image_classify", "PICTURE.png"
    coder: PicturesAndLabels

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        """The label of each image, from its center crop.

        The weights, if the network has any, are over the parts of the crop, column by column from
        the left and each from the top down, so that they are drawn as they lie in the image.

        Raises `ValueError` for an image that cannot be read, `TypeError` for anything else.
        """
        return [self._answer(name, each, num_answers) for name, each in pictures_of(inputs)]

    @torch.no_grad()
    def _answer(self, name: str, picture: RGB, num_answers: int) -> Answer:
        seen = self.coder.middle_of(picture)
        images = self.coder.read([seen]).to(device_of(self.model))
        with place_gates(self.model) as gates:
            scores = self.model(images).float()[0].log_softmax(-1).cpu()
        answers = likeliest(scores, self.coder.labels, num_answers)
        if not hasattr(self.model, "attention_weights"):
            maps = {f"gate {place}": gate[0].cpu() for place, gate in gates.items()}
            return Answer(name, answers, areas=areas(seen, maps))
        weights = self.model.attention_weights(images)[0].float().cpu()
        rows, columns = (tuple(str(n + 1) for n in range(count)) for count in weights.shape)
        over = areas(seen, {answers[0][0]: weights}, sums=True)
        return Answer(name, answers, inputs=rows, outputs=columns, weights=weights.mT, areas=over)

    @staticmethod
    def parse(text: str) -> Any:
        """The path in a command-line text."""
        return Path(text)

    @staticmethod
    def typed(given: Any) -> str:
        """The path of an image if it has one; else a placeholder."""
        name = given.name if isinstance(given, PictureCell) else str(given)
        return name if Path(name).is_file() else PictureClassifier.asked

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PicturesAndLabels:
        """Color statistics and labels of a folder."""
        return PicturesAndLabels.load(folder, entries)
