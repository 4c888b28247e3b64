"""Image captioning, evaluated by BLEU against all captions of an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from regard.config import Config, Count, LargeCount, Natural, NonNegative, Share
from regard.data.encoding.augment import Augment, Unchanged
from regard.data.encoding.token_settings import Tokens, Words
from regard.data.reading.corpus import Corpus
from regard.data.reading.pictures import PictureCell
from regard.models.protocols import StartsSoft
from regard.tasks.caption.coder import CaptionedPictures, PicturesAndCaptions
from regard.tasks.caption.loss import caption_loss, caption_nll
from regard.tasks.caption.metrics import caption_scores, same_words
from regard.tasks.caption.pointers import points_right
from regard.tasks.caption.predictor import PictureCaptioner
from regard.tasks.caption.schema import SCHEMA
from regard.tasks.colors import ColorsOf
from regard.tasks.details import Details, JudgedExample, worst_of
from regard.tasks.first_epochs import examples_of
from regard.tasks.picture_coder import colors_learned, require_short_side
from regard.tasks.picture_task import PictureTask
from regard.tasks.task import Record, Task


@dataclass(frozen=True, kw_only=True)
class CaptionSettings(Config):
    """The settings of captioning.

    Args:
        size: height and width of the network's input, a center crop of each image.
        short_side: length of an image's shorter side, in pixels, before the center crop; 0 for
            `size`.
        colors: how colors are normalized: by the mean and standard deviation of the training
            `data`, those of `imagenet`, or a `half` each.
        augment: random augmentation of the training images; flipping them makes "left" wrong.
        tokens: how captions are tokenized.
        longest: maximum tokens of a training caption; longer ones are dropped.
        batch_size: captions per micro-batch.
        smoothing: label smoothing.
        max_tokens: maximum tokens of an answer.
        length_penalty: of a beam search, the exponent of ((5 + length) / 6).
        soft_epochs: epochs before a hard attention samples, in which it is trained as soft
            attention (see `regard.models.protocols.StartsSoft`); soft attention stays as it is.

    Raises `ValueError` if `short_side` is less than `size`.
    """

    tag = "caption"

    size: Count = 64
    short_side: Natural = 0
    colors: ColorsOf = "data"
    augment: Augment = Unchanged()
    tokens: Tokens = Words()
    longest: LargeCount = 64
    batch_size: Count = 64
    smoothing: Share = 0.0
    max_tokens: Count = 50
    length_penalty: NonNegative = 0.6
    soft_epochs: NonNegative = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.short_side:
            require_short_side(self.size, self.short_side)


class Caption(PictureTask):
    r"""The task: learn captions of images.

    The network takes images `[batch, 3, size, size]` and the tokens generated so far
    `[batch, q_len]`, and returns logits of the next ones; to generate captions it also needs
    `encode`, `start` and `step` (see `regard.models.protocols.Captions`).

    Raises `ValueError` for `soft_epochs` of a network that cannot start soft.

    >>> import tempfile, torch
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> class Bigrams(torch.nn.Module):
    ...     def __init__(self, target_vocab, **_):
    ...         super().__init__()
    ...         self.next = torch.nn.Embedding(target_vocab, target_vocab)
    ...     def forward(self, images, target):
    ...         return self.next(target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = ["image,caption"]
    ...     for number in range(40):
    ...         color = ("red", "blue")[number % 2]
    ...         Image.new("RGB", (8 + number, 8), color).save(Path(folder, f"{number}.png"))
    ...         lines.append(f"{number}.png,all of this is {color}")
    ...     Path(folder, "captions.csv").write_text("\n".join(lines)) and None
    ...     task = Caption(folder, Bigrams, CaptionSettings(size=8))
    >>> task.loss(task.batch("train", np.arange(2))).shape
    torch.Size([])
    """

    name, unit, metric = "caption", "pictures", "bleu"
    schema = SCHEMA
    settings_type = CaptionSettings
    predictor_type = PictureCaptioner
    settings: CaptionSettings
    coder: PicturesAndCaptions

    def __init__(
        self, data: Any, model: Any, settings: Any = None, *, seed: int = 0, fixed: int = 4
    ) -> None:
        super().__init__(data, model, settings, seed=seed, fixed=fixed)
        examples = examples_of(self, "soft_epochs", StartsSoft, "attention that is soft at first")
        if examples:
            self.model.start_soft(examples)

    @classmethod
    def of(
        cls, predictor: Any, splits: Mapping[str, Any], place: Path, settings: Any = None
    ) -> Task:
        """The task of a trained predictor, whose soft start is over."""
        known = cls.settings_type() if settings is None else settings
        return super().of(predictor, splits, place, replace(known, soft_epochs=0.0))

    @classmethod
    def learn(cls, corpus: Corpus, settings: Any) -> PicturesAndCaptions:
        """Color statistics of the training images, tokens of their captions."""
        train, short = corpus.splits["train"], settings.short_side or settings.size
        return PicturesAndCaptions(
            colors_learned(settings.colors, train, short),
            settings.size,
            short,
            settings.tokens.learned(settings.tokens.texts(train, "caption")),
            settings.longest,
            settings.max_tokens,
            settings.length_penalty,
        )

    def loss(self, batch: CaptionedPictures) -> Float[Tensor, ""]:
        """The summed cross-entropy of the target tokens, including an auxiliary loss."""
        loss = caption_loss(self.model, batch, self.settings.smoothing)
        if self.model.training and isinstance(self.model, StartsSoft):
            self.model.learned(len(batch.images))
        return loss

    def ask(self, split: str, rows: np.ndarray, num_answers: int) -> list[Record]:
        """For each caption: the image's predicted caption, its loss, and the pointing accuracy."""
        examples, batch = self.data.examples[split], self.batch(split, rows)
        pictures = examples.pictures_of(rows)
        once, first, place = np.unique(pictures, return_index=True, return_inverse=True)
        images = batch.images[torch.from_numpy(first).to(batch.images.device)]
        found = self.predictor.write(images, num_answers)
        answers = [self.coder.tokenizer.decode(each[0].tokens) for each in found]
        nll, counts = caption_nll(self.model, batch).tolist(), batch.target.counts.tolist()
        pointed = self._pointed(split, rows, batch)
        return [
            {
                "picture": int(pictures[n]),
                "answer": answers[place[n]],
                "nll": nll[n],
                "targets": counts[n],
                "right": pointed[n][0],
                "boxes": pointed[n][1],
            }
            for n in range(len(rows))
        ]

    def score(self, split: str, records: Sequence[Record]) -> dict[str, float]:
        """Loss and perplexity per token, BLEU, word accuracy, and `pointing` if known."""
        return caption_scores(records, self._captions(split))

    def details(self, split: str, records: Sequence[Record], worst: int = 5) -> Details:
        """The captions whose predictions have the fewest words right, position by position."""
        captions = self._captions(split)
        both = zip(records, captions, strict=True)
        apart = [1 - same_words(record["answer"], caption) for record, caption in both]

        def example(place: int) -> JudgedExample:
            asked, caption = self.written(split, place)
            answer = records[place]["answer"]
            return JudgedExample(asked, caption, answer, round(apart[place], 2))

        return Details(worst=worst_of(apart, worst, example))

    def written(self, split: str, place: int) -> tuple[str, str]:
        """The name of an image, and its caption as in the data."""
        row = self.data.texts[split][int(self.data.examples[split].rows[place])]
        return PictureCell(row["image"]).name, str(row["caption"])

    def shown(self, count: int) -> list[tuple[Any, str | None]]:
        """Some images of the validation data, each once, with their first captions."""
        if "valid" not in self.data.texts:
            return []
        _, firsts = np.unique(self.data.examples["valid"].which, return_index=True)
        found = [self.data.texts["valid"][int(row)] for row in np.sort(firsts)[:count]]
        return [(PictureCell(row["image"]), str(row["caption"])) for row in found]

    def _captions(self, split: str) -> list[str]:
        texts = list(self.data.texts[split]["caption"])
        return [texts[row] for row in self.data.examples[split].rows]

    def _pointed(
        self, split: str, rows: np.ndarray, batch: CaptionedPictures
    ) -> list[tuple[int, int]]:
        """How many words of each caption looked where they should, and how many there are."""
        pointers = [self.data.examples[split].pointers_of(int(row)) for row in rows]
        if not (any(map(len, pointers)) and hasattr(self.model, "attention_weights")):
            return [(0, 0)] * len(rows)
        maps = self.model.attention_weights(batch.images, batch.written).float().cpu().numpy()
        return [
            (sum(points_right(maps[n], each) for each in some), len(some))
            for n, some in enumerate(pointers)
        ]
