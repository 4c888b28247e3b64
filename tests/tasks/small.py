"""Tiny tasks of each kind, in memory: what one learns in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from regard._io.extra import extra
from regard.data.encoding.examples import encode
from regard.data.encoding.token_stream import TokenStream
from regard.data.encoding.tokenizer import Tokenizer
from regard.models.rnnsearch import RNNsearch, RNNsearchConfig
from regard.models.transformer import (
    Transformer,
    TransformerClassifier,
    TransformerClassifierConfig,
    TransformerConfig,
    TransformerLM,
    TransformerLMConfig,
)
from regard.tasks.classify import Classifier, Classify
from regard.tasks.language_model import LanguageModel, Narrator
from regard.tasks.translate import Translate, Translator

SHAPE: dict[str, Any] = {"embed_dim": 16, "num_heads": 2, "ff_dim": 32, "dropout": 0.0}


def words(count: int, shortest: int, longest: int, seed: int = 0) -> list[str]:
    """Words of the letters a to e."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return ["".join(rng.choice(list("abcde"), length)) for length in lengths]


def table(**columns: list[str]) -> Any:
    """Rows as the reading of data gives them."""
    return extra("datasets").Dataset.from_dict(columns)


def copying(
    folder: Path, *, count: int = 60, longest: int = 3, network: str = "transformer", **named: Any
) -> Translate:
    """Write down what was read."""
    torch.manual_seed(0)
    splits = {
        split: table(source=texts, target=[text.upper() for text in texts])
        for split, texts in _splits(count, 1, longest).items()
    }
    source = Tokenizer.train(["abcde"], "characters")
    target = Tokenizer.train(["ABCDE"], "characters")
    vocab = {"source_vocab": len(source), "target_vocab": len(target)}
    model: Any
    if network == "rnnsearch":
        sizes = dict.fromkeys(["embed_dim", "hidden_dim", "state_dim", "align_dim"], 12)
        model = RNNsearch(RNNsearchConfig(**vocab, **sizes, maxout_dim=8))
    else:
        layers = {"encoder_layers": 1, "decoder_layers": 1}
        model = Transformer(TransformerConfig(**vocab, **layers, **SHAPE))
    coders = {"source": source, "target": target}
    examples = {split: encode(rows, coders, folder / split) for split, rows in splits.items()}
    predictor = Translator(model, source, target)
    return Translate(predictor, examples, splits, **{"batch_tokens": 100, "smoothing": 0.0} | named)


def labelling(folder: Path, *, count: int = 60, **named: Any) -> Classify:
    """Say whether there is an `a` in a word."""
    torch.manual_seed(0)
    splits = {
        split: table(text=texts, label=["with" if "a" in text else "without" for text in texts])
        for split, texts in _splits(count, 1, 4).items()
    }
    labels = ("with", "without")
    tokenizer = Tokenizer.train(["abcde"], "characters")
    config = TransformerClassifierConfig(vocab=len(tokenizer), classes=2, layers=1, **SHAPE)
    predictor = Classifier(TransformerClassifier(config), tokenizer, labels, 8)
    readers: dict[str, Any] = {"text": tokenizer, "label": labels}
    examples = {split: encode(rows, readers, folder / split) for split, rows in splits.items()}
    return Classify(predictor, examples, splits, **{"batch_tokens": 80} | named)


def continuing(folder: Path, *, period: str = "abcd ", **named: Any) -> LanguageModel:
    """Go on with a text that says the same over and over."""
    torch.manual_seed(0)
    tokenizer = Tokenizer.train([period], "characters", running=True)
    config = TransformerLMConfig(vocab=len(tokenizer), layers=1, **SHAPE)
    texts = {"train": period * 60, "valid": period * 9}
    streams = {
        split: TokenStream.encode([text], tokenizer, folder / split)
        for split, text in texts.items()
    }
    predictor = Narrator(TransformerLM(config), tokenizer, block=8, length=10, temperature=0.01)
    characters = {split: len(text) for split, text in texts.items()}
    return LanguageModel(predictor, streams, characters, **{"batch_size": 6} | named)


def _splits(count: int, shortest: int, longest: int) -> dict[str, list[str]]:
    sizes = {"train": count, "valid": 23, "test": 17}
    return {
        split: words(size, shortest, longest, seed)
        for seed, (split, size) in enumerate(sizes.items())
    }


def learn(task: Any, steps: int, rate: float = 0.01) -> None:
    """Plain Adam, its rate falling to nothing, for tests of tasks alone."""
    model, done, epoch = task.predictor.model, 0, 0
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    while done < steps:
        part, rng = task.part(epoch), np.random.default_rng(epoch)
        epoch += 1
        for rows in task.plan(part.lengths, rng):
            batch = part.batch(rows)
            optimizer.param_groups[0]["lr"] = rate * max(0.0, 1 - done / steps)
            optimizer.zero_grad()
            (task.loss(batch) / batch.labels).backward()
            optimizer.step()
            done += 1
    model.eval()


TASKS = {"translate": copying, "classify": labelling, "language_model": continuing}
