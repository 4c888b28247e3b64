"""The predictor of text-to-text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.tasks.text_to_text.coder import PrefixedPairs
from regard.tasks.translate.predictor import Translator


class TextWriter(Translator):
    """A text-to-text network, which prepends its prefix to every input."""

    task = "text_to_text"
    coder: PrefixedPairs

    @classmethod
    def load_coder(cls, folder: Path, entries: Mapping[str, Any]) -> PrefixedPairs:
        """The tokenizer of a folder."""
        return PrefixedPairs.load(folder, entries)
