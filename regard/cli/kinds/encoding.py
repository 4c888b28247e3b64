"""What the tasks that read text share: learning tokens, going through texts, checking sizes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regard.cli.settings import Settings
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.reading.corpus import Corpus


def learned(settings: Settings, texts: Iterator[str], running: bool = False) -> Tokenizer:
    """A tokenizer of the kind and size that was asked for."""
    tokens = settings.tokens
    return Tokenizer.train(texts, tokens.kind, tokens.size, tokens.lowercase, running)


def texts_of(rows: Any, *columns: str) -> Iterator[str]:
    """The texts of these columns, a thousand rows of each in turn."""
    for start in range(0, len(rows), 1000):
        batch = rows[start : start + 1000]
        for column in columns:
            yield from batch[column]


def require_labels(corpus: Corpus) -> None:
    """Raise `ValueError` unless there are two labels to choose from."""
    if len(corpus.labels) < 2:
        count, column = len(corpus.splits["train"]), corpus.names[-1]
        raise ValueError(
            f"{column} is {corpus.labels[0]!r} in all {count:,} training examples; at least 2 "
            "different ones are needed"
        )


def require_same(folder: Path, model: Any, **lists: Any) -> None:
    """Raise `ValueError` unless each list is as long as the network's size of that name."""
    for size, names in lists.items():
        wanted = getattr(model.config, size, None)
        if len(names) != wanted:
            raise ValueError(
                f"{folder} does not belong together: its network has {size} {wanted}, its files "
                f"name {len(names)}; copy the whole run folder again"
            )
