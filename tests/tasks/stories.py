"""A small task of questions about stories, in memory."""

from pathlib import Path
from typing import Any

import torch

from regard._io.extra import extra
from regard.data.encoding.examples import encode
from regard.data.encoding.story_words import learn_words
from regard.data.synthetic.stories import rows
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.tasks.answer import AnswerQuestions, coders
from regard.tasks.answerer import Answerer

COLUMNS = ("story", "question", "answer", "support")
SIZES = {"train": 60, "valid": 20}


def table(found: list[tuple[str, ...]]) -> Any:
    """Rows as the reading of data gives them."""
    columns = zip(*found, strict=True)
    return extra("datasets").Dataset.from_dict(
        {name: list(texts) for name, texts in zip(COLUMNS, columns, strict=True)}
    )


def asking(
    folder: Path,
    kind: str = "qa1",
    sizes: dict[str, int] = SIZES,
    seed: int = 0,
    linear_epochs: float = 0.0,
    **model: Any,
) -> AnswerQuestions:
    """The task over drawn stories."""
    texts = {
        split: table(list(rows(split, count, 100 + seed, kind=kind)))
        for split, count in sizes.items()
    }
    train = texts["train"]
    words = learn_words(train["story"], train["question"], train["answer"])
    examples = {split: encode(part, coders(words), folder / split) for split, part in texts.items()}
    torch.manual_seed(seed)
    shape: dict[str, Any] = {"embed_dim": 20, "hops": 2} | model
    network = MemoryNetwork(MemoryConfig(vocab=len(words), **shape))
    return AnswerQuestions(Answerer(network, words), examples, texts, linear_epochs=linear_epochs)
