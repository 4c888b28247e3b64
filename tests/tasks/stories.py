"""A small task of questions about stories, in memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from regard.data.encoding.story_words import learn_words
from regard.data.synthetic.stories import story_rows
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.tasks.answer import AnswerQuestions, AnswerSettings
from regard.tasks.answer.coder import StoriesAndAnswers
from regard.tasks.task import Encoded
from tests.tasks import rows

COLUMNS = ("story", "question", "answer", "support")
SIZES = {"train": 60, "valid": 20}


def table(found: list[tuple[str, ...]]) -> Any:
    """Rows as the reading of data gives them."""
    columns = zip(*found, strict=True)
    return rows.table(**{name: list(texts) for name, texts in zip(COLUMNS, columns, strict=True)})


def asking(
    folder: Path,
    kind: str = "qa1",
    sizes: dict[str, int] = SIZES,
    seed: int = 0,
    linear_epochs: float = 0.0,
    own: Callable[..., nn.Module] | None = None,
    **choices: Any,
) -> AnswerQuestions:
    """The task over drawn stories, for a memory network of these choices, or what `own` makes."""
    texts = {
        split: table(list(story_rows(split, count, 100 + seed, kind=kind)))
        for split, count in sizes.items()
    }
    train = texts["train"]
    coder = StoriesAndAnswers(learn_words(train["story"], train["question"], train["answer"]))
    torch.manual_seed(seed)
    decided = {name: coder.sizes[name] for name in MemoryConfig.from_data}
    config = MemoryConfig.from_entries({"embed_dim": 20, "hops": 2} | decided | choices)
    data = Encoded(coder, coder.encode(texts, folder), texts)
    model = MemoryNetwork(config) if own is None else own
    return AnswerQuestions(data, model, AnswerSettings(linear_epochs=linear_epochs))
