"""Settings of a task with known tokens instead of learned ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from regard.data.encoding.tokenizer import Tokenizer


class WithTokens:
    """Settings of a task with known tokens instead of learned ones."""

    def __init__(self, settings: Any, known: Sequence[Tokenizer]) -> None:
        self._settings, self.tokens = settings, _Known(iter(known))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._settings, name)


class _Known:
    def __init__(self, known: Iterator[Tokenizer]) -> None:
        self._known = known

    def texts(self, rows: Any, *columns: str) -> Iterator[str]:
        """No text: nothing is learned from them."""
        return iter(())

    def learned(self, texts: Iterable[str], **_: Any) -> Tokenizer:
        """The next of the tokenizers, whatever the texts are."""
        return next(self._known)
