"""The predictor of image captions, with where it attended for each token."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from regard.data.encoding.decoded import RGB
from regard.generation import Hypothesis
from regard.tasks.caption.coder import PicturesAndCaptions
from regard.tasks.image_classify.predictor import PictureClassifier
from regard.tasks.picture_coder import patch_names, shown_picture
from regard.tasks.picture_input import pictures_of
from regard.tasks.predictor import Answer, Predictor, device_of
from regard.tasks.writing import written_from


class PictureCaptioner(Predictor):
    """A network that captions images, with their color statistics and its tokens."""

    task, asked = "caption", "PICTURE.png"
    coder: PicturesAndCaptions

    def predict(self, inputs: Sequence[Any], num_answers: int = 1) -> list[Answer]:
        """A caption of each image's center crop, by greedy decoding, or several by beam search.

        The weights, if the network has any, are over the parts of the crop, row by row, for each
        token of the best caption; `maps` returns them as maps.

        Raises `ValueError` for an image that cannot be read, `TypeError` for anything else.
        """
        return [self._answer(name, each, num_answers) for name, each in pictures_of(inputs)]

    def maps(
        self, inputs: Sequence[Any]
    ) -> list[tuple[tuple[str, ...], Float[Tensor, "q_len rows columns"]]]:
        """The tokens of each image's caption, and where in its center crop it attended for them.

        Raises `ValueError` for an image that cannot be read, and for a network without attention,
        and `TypeError` for anything but an image.
        """
        if not hasattr(self.model, "attention_weights"):
            raise ValueError(f"{type(self.model).__name__} has no attention_weights to be shown")
        found = []
        for _, picture in pictures_of(inputs):
            images = self._read(picture)
            (best,) = self.write(images)[0]
            tokens = tuple(self.coder.tokenizer.tokens(best.tokens))
            found.append((tokens, self._looked(images, best.tokens)))
        return found

    @torch.no_grad()
    def write(
        self, images: Float[Tensor, "batch 3 height width"], num_answers: int = 1
    ) -> list[list[Hypothesis]]:
        """The captions of preprocessed images, best first."""
        return written_from(
            self.model,
            self.model.encode(images),
            torch.full((len(images),), self.coder.max_tokens),
            begin=self.coder.tokenizer.begin,
            end=self.coder.tokenizer.end,
            num_answers=max(1, num_answers),
            length_penalty=self.coder.length_penalty,
        )

    def _answer(self, name: str, picture: RGB, num_answers: int) -> Answer:
        tokenizer, images = self.coder.tokenizer, self._read(picture)
        found = self.write(images, num_answers)[0]
        answers = tuple((tokenizer.decode(each.tokens), each.log_probability) for each in found)
        if not hasattr(self.model, "attention_weights"):
            return Answer(name, answers)
        maps = self._looked(images, found[0].tokens)
        _, rows, columns = maps.shape
        return Answer(
            name,
            answers,
            inputs=patch_names(rows, columns),
            outputs=tuple(tokenizer.tokens(found[0].tokens)),
            weights=rearrange(maps, "q_len rows columns -> q_len (rows columns)"),
            picture=shown_picture(self.coder.middle_of(picture), rows, columns),
        )

    def _read(self, picture: RGB) -> Float[Tensor, "1 3 height width"]:
        return self.coder.read([self.coder.middle_of(picture)]).to(device_of(self.model))

    @torch.no_grad()
    def _looked(
        self, images: Float[Tensor, "1 3 height width"], tokens: Sequence[int]
    ) -> Float[Tensor, "q_len rows columns"]:
        written = [self.coder.tokenizer.begin, *tokens][: len(tokens)]
        target = torch.tensor([written], dtype=torch.long, device=images.device)
        return self.model.attention_weights(images, target)[0].float().cpu()

    @staticmethod
    def parse(text: str) -> Any:
        """The path in a command-line text."""
        return PictureClassifier.parse(text)

    @staticmethod
    def typed(given: Any) -> str:
        """The path of an image if it has one; else a placeholder."""
        return PictureClassifier.typed(given)

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PicturesAndCaptions:
        """Color statistics and tokens of a folder."""
        return PicturesAndCaptions.load(folder, entries)
