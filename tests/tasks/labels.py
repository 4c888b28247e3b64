"""Tiny tasks of labels: of words, and of pairs of them."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard.data.encoding.tokenizer import Tokenizer
from regard.models.abcnn import ABCNN, ABCNNConfig
from regard.models.transformer import TransformerClassifier, TransformerClassifierConfig
from regard.tasks.classify import Classify, ClassifySettings
from regard.tasks.classify.coder import TextsAndLabels
from regard.tasks.match import Match, MatchSettings
from regard.tasks.match.coder import PairsAndLabels
from regard.tasks.task import Encoded
from tests.tasks.rows import splits_of_words, table, words

LABELS = ("no", "yes")


def labelling(
    folder: Path, *, count: int = 60, model: nn.Module | None = None, **settings: Any
) -> Classify:
    """Say whether there is an `a` in a word."""
    torch.manual_seed(0)
    splits = {
        split: table(text=texts, label=["with" if "a" in text else "without" for text in texts])
        for split, texts in splits_of_words(count, 1, 4).items()
    }
    coder = TextsAndLabels(Tokenizer.train(["abcde"], "characters"), ("with", "without"), 8)
    config = TransformerClassifierConfig(
        vocab=coder.sizes["vocab"],
        classes=2,
        max_length=8,
        layers=1,
        embed_dim=16,
        num_heads=2,
        ff_dim=32,
        dropout=0.0,
    )
    data = Encoded(coder, coder.encode(splits, folder), splits)
    model = TransformerClassifier(config) if model is None else model
    return Classify(data, model, ClassifySettings(**{"batch_tokens": 80} | settings))


def pairs(count: int, seed: int = 0) -> dict[str, list[str]]:
    """Words beside themselves or beside another word of other letters, five for each left one."""
    lefts = [word for word in words(count // 5, 1, 4, seed) for _ in range(5)]
    turned = str.maketrans("abcde", "bcdea")
    same = [number % 5 < 2 for number in range(len(lefts))]
    rights = [w if yes else w.translate(turned) for w, yes in zip(lefts, same, strict=True)]
    return {"left": lefts, "right": rights, "label": [LABELS[yes] for yes in same]}


def matching(
    folder: Path,
    count: int = 60,
    *,
    fixed: int = 4,
    model: nn.Module | None = None,
    **settings: Any,
) -> Match:
    """Say whether two words are the same."""
    torch.manual_seed(0)
    coder = PairsAndLabels(Tokenizer.train(["abcde"], "characters"), LABELS, 6)
    sizes = {"embed_dim": 6, "hidden_dim": 5, "width": 2, "max_length": 6}
    if model is None:
        model = ABCNN(ABCNNConfig(vocab=coder.sizes["vocab"], classes=2, **sizes))
    splits = {"train": table(**pairs(count)), "valid": table(**pairs(25, seed=1))}
    data = Encoded(coder, coder.encode(splits, folder), splits)
    return Match(data, model, MatchSettings(**{"batch_tokens": 80} | settings), fixed=fixed)
