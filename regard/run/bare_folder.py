"""A Hugging Face folder used as is: its head gives the task, its files the labels and tokens."""

from pathlib import Path
from typing import Any

from regard._printable import shown
from regard.data.encoding.published_tokens import read_tokenizer, require_rows
from regard.data.encoding.tokenizer import Tokenizer
from regard.models.attention import Attends
from regard.models.published import configuration, labels_of, load_published, read_entries
from regard.tasks import task_class
from regard.tasks.classify.coder import TextsAndLabels
from regard.tasks.colors import published_colors, published_sizes
from regard.tasks.image_classify.coder import PicturesAndLabels
from regard.tasks.image_classify.predictor import PictureClassifier
from regard.tasks.predictor import Predictor
from regard.tasks.tag.coder import PiecesAndTags

CODERS: dict[str, tuple[str, Any]] = {
    "classifier": ("classify", TextsAndLabels),
    "tagger": ("tag", PiecesAndTags),
}
"""Suffix of a network's name → the task of its head, and the reader of its texts."""
ONE_LABEL = "single_label_classification"
LONGEST = 512
"""Maximum tokens of a text, if positions do not limit them."""


def published_predictor(folder: Path, attend: Attends = None) -> Predictor:
    """The predictor of a published folder's head, without training.

    Unnamed labels are `LABEL_0` and so on.

    Raises `ValueError` for a network without labels, for one whose labels or tokens do not match
    its sizes, `FileNotFoundError` if there are no tokens, and as `regard.load` for the folder.
    """
    task, coder_type = _coder_of(folder, configuration(folder))
    if task == "image_classify":
        return _of_pictures(folder, attend)
    tokenizer = read_tokenizer(folder)
    model = load_published(folder, attend, **told_by(folder, tokenizer))
    config = model.config
    problem = read_entries(folder).get("problem_type")
    if task == "classify" and (config.classes == 1 or problem not in (None, ONE_LABEL)):
        kind = shown(problem) if config.classes > 1 else "regression, with one number"
        raise ValueError(
            f"{folder} is for {kind}, which its files do not say how to read as an answer; ask "
            f"regard.load({str(folder)!r}) for the numbers, or train with --from {folder}"
        )
    coder = coder_type(tokenizer, _labels(folder), **_sizes(folder, config, tokenizer))
    predictor: Predictor = task_class(task).predictor_type(model, coder)
    return predictor


def told_by(folder: Path, tokenizer: Tokenizer) -> dict[str, Any]:
    """What the tokens imply for the network: tokens with a segment of their own."""
    knows = "alone" in type(configuration(folder)).from_data
    return {"alone": tokenizer.frame.alone} if knows else {}


def _of_pictures(folder: Path, attend: Attends) -> Predictor:
    """What answers about pictures; raises `ValueError` for a network of others than squares."""
    model = load_published(folder, attend)
    return PictureClassifier(model, picture_coder(folder, model.config))


def picture_coder(folder: Path, config: Any) -> PicturesAndLabels:
    """The coder of images for the network of a folder, and the names of its labels."""
    return PicturesAndLabels(published_colors(folder), *published_sizes(folder, config),
                             _labels(folder))  # fmt: skip


def _labels(folder: Path) -> tuple[str, ...]:
    """The names of the labels; raises `ValueError` where two are alike."""
    labels = labels_of(folder)
    if len(set(labels)) < len(labels):
        twice = next(name for name in labels if labels.count(name) > 1)
        raise ValueError(
            f"{folder / 'config.json'} calls two labels {shown(twice)}; give them different names"
        )
    return labels


def _coder_of(folder: Path, config: Any) -> tuple[str, Any]:
    """The task of the network's head, and the coder; raises `ValueError` for one without labels."""
    head = config.tag.rpartition("_")[2]
    if {"channels", "classes"} <= {*type(config).from_data}:
        return "image_classify", PicturesAndLabels
    if head not in CODERS or "vocab" not in type(config).from_data:
        raise ValueError(
            f"{folder} holds {config.tag}, which has no labels to answer a text with; load it with "
            f"regard.load({str(folder)!r}), or train with regard train --from {folder} --data FILE"
        )
    return CODERS[head]


def _sizes(folder: Path, config: Any, tokenizer: Tokenizer) -> dict[str, Any]:
    """How long texts may be; raises `ValueError` for tokens that the network has no rows for."""
    require_rows(tokenizer, config.vocab, str(folder))
    has_positions = "max_length" in type(config).from_data
    positions = config.max_length if has_positions else None
    embedded = None if config.vocab == len(tokenizer) else config.vocab
    longest = min(LONGEST, positions or LONGEST)
    return {"longest": longest, "positions": positions, "embedded": embedded}
