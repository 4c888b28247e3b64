"""Tiny tasks of each kind, in memory: what one learns in seconds."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard.data.encoding.tokenizer import Tokenizer
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig, Search
from regard.models.transformer import (
    Transformer,
    TransformerConfig,
    TransformerLM,
    TransformerLMConfig,
)
from regard.tasks.language_model import LanguageModel, LanguageModelSettings
from regard.tasks.language_model.coder import TextCoder
from regard.tasks.task import Encoded
from regard.tasks.translate import Translate, TranslateSettings
from regard.tasks.translate.coder import TextPairs
from tests.tasks.labels import labelling
from tests.tasks.rows import learn, splits_of_words, table, words

__all__ = ["SHAPE", "TASKS", "continuing", "copying", "labelling", "learn", "table", "words"]

SHAPE: dict[str, Any] = {
    "embed_dim": 16,
    "num_heads": 2,
    "ff_dim": 32,
    "layers": 1,
    "dropout": 0.0,
}


def copying(
    folder: Path,
    *,
    count: int = 60,
    longest: int = 3,
    network: str = "transformer",
    model: nn.Module | None = None,
    **settings: Any,
) -> Translate:
    """Write down what was read."""
    torch.manual_seed(0)
    splits = {
        split: table(source=texts, target=[text.upper() for text in texts])
        for split, texts in splits_of_words(count, 1, longest).items()
    }
    tokenizers = (Tokenizer.train([letters], "characters") for letters in ("abcde", "ABCDE"))
    coder = TextPairs(*tokenizers, longest=8, extra_length=5)
    vocab = {name: coder.sizes[name] for name in ("source_vocab", "target_vocab", "max_length")}
    if model is None and network == "transformer":
        model = Transformer(TransformerConfig(**vocab, **SHAPE))
    elif model is None:
        del vocab["max_length"]
        sizes = {"embed_dim": 12, "hidden_dim": 12, "maxout_dim": 8, "dropout": 0.0}
        model = RNNsearch(RNNsearchConfig(**vocab, **sizes, attention=Search(attention_dim=12)))
    data = Encoded(coder, coder.encode(splits, folder), splits)
    named = {"batch_tokens": 100, "smoothing": 0.0} | settings
    return Translate(data, model, TranslateSettings(**named))


def continuing(
    folder: Path,
    *,
    period: str = "abcd ",
    length: int = 10,
    temperature: float = 0.01,
    **settings: Any,
) -> LanguageModel:
    """Go on with a text that says the same over and over."""
    torch.manual_seed(0)
    coder = TextCoder(Tokenizer.train([period], "characters", running=True), 8, length, temperature)
    splits = {"train": table(text=[period * 60]), "valid": table(text=[period * 9])}
    config = TransformerLMConfig(vocab=coder.sizes["vocab"], max_length=8, **SHAPE)
    data = Encoded(coder, coder.encode(splits, folder), splits)
    named = {"batch_size": 6, "block": 8} | settings
    return LanguageModel(data, TransformerLM(config), LanguageModelSettings(**named))


TASKS = {"translate": copying, "classify": labelling, "language_model": continuing}
