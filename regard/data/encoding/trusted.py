"""What a `tokenizer.json` from anywhere may hold, and what a text has to be to be read by it."""

import math
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from regard._printable import shortened, shown
from regard.data.encoding.vocabulary import MAX_TOKENS

TOKENIZER_MODELS = {
    "bpe": "BPE",
    "wordpiece": "WordPiece",
    "bert": "WordPiece",
    "unigram": "Unigram",
    "words": "WordLevel",
    "characters": "WordLevel",
}
"""The kinds of tokenizer, and what `tokenizer.json` calls their models."""
LONGEST_TOKEN = 10_000
"""Characters of a token, or of anything else but a table of characters."""
PROBE = "A bé, 12!\n"
MOST_GROWTH = 100
"""How many times longer a text may become before it is cut into tokens, or after."""

_REPEATED_CHOICE = re.compile(r"[+*}|](?:\\.|[^\\()])*\)(?:[+*]|\{\d*,\d*\})")
"""A group with a repetition or a choice in it that is repeated itself: it may take for ever."""


def require_readable(entries: Any) -> None:
    """Raise `ValueError` for a `tokenizer.json` whose reading of a text would not end.

    It must be a table whose model is one of `TOKENIZER_MODELS`. Regular expressions must not repeat
    what repeats, as `(a+)+` does, which takes time that doubles with each letter, and what is put
    in the place of letters must not make a text much longer.

    >>> require_readable({"model": {"type": "BPE"}, "normalizer": {"type": "NFC"}})
    """
    model = entries.get("model") if isinstance(entries, dict) else None
    if not isinstance(model, dict):
        raise ValueError(f"it is not a table with a model, but {shown(entries)}")
    if model.get("type", "BPE") not in TOKENIZER_MODELS.values():
        known = ", ".join(dict.fromkeys(TOKENIZER_MODELS.values()))
        raise ValueError(f"its model must be one of {known}, got {shown(model.get('type'))}")
    for text in _texts(entries):
        if len(text) > LONGEST_TOKEN:
            raise ValueError(f"{shown(text)} has {len(text):,} characters, more than any token")
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        tables = list(_tables(entries.get(part)))
        growth = math.prod(min(_length(table), MAX_TOKENS) or 1 for table in tables)
        if growth > MOST_GROWTH:
            raise ValueError(f"its {part} makes a text up to {growth:,} times longer")
        for table in tables:
            if table.get("type") == "Precompiled":
                _require_charsmap(table.get("precompiled_charsmap"))
            pattern = table.get("pattern")
            if table.get("type") == "Replace" and pattern in ({"String": ""}, {"Regex": ""}):
                raise ValueError(f"its {part} puts something in the place of nothing")
            regex = pattern.get("Regex") if isinstance(pattern, dict) else None
            if isinstance(regex, str) and _REPEATED_CHOICE.search(regex):
                raise ValueError(
                    f"the regular expression {shown(regex)} of its {part} repeats what is repeated "
                    "in it, which may take for ever"
                )


def require_numbered(inner: Any, entries: Any) -> None:
    """Raise `ValueError` unless the tokens of a tokenizer of the package are numbered from 0 on.

    Args:
        entries: its file, whose `added_tokens` must have the numbers that they have there.
    """
    for each in entries.get("added_tokens") or ():
        if inner.token_to_id(each["content"]) != each["id"]:
            token, number = shown(each["content"]), inner.token_to_id(each["content"])
            raise ValueError(f"the token {token} is both {shown(each['id'])} and {number}")
    numbers = inner.get_vocab(with_added_tokens=True)
    if len(numbers) > MAX_TOKENS:
        raise ValueError(f"it has {len(numbers):,} tokens, {MAX_TOKENS:,} are allowed")
    taken: dict[int, str] = {}
    for token, number in numbers.items():
        if not 0 <= number < len(numbers):
            raise ValueError(
                f"the token {shown(token)} has the number {number:,}, but there are only "
                f"{len(numbers):,} tokens, numbered from 0"
            )
        if taken.setdefault(number, token) != token:
            both = f"{shown(taken[number])} and {shown(token)}"
            raise ValueError(f"{both} have the number {number:,}")


def require_characters(text: Any) -> None:
    r"""Raise `TypeError` for what is no text and `ValueError` for one with half of a character.

    >>> require_characters("caf\udce9")
    Traceback (most recent call last):
    ...
    ValueError: character 4 of the text, '\udce9', is none: it stands for a byte that is not UTF-8
    """
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, got {shown(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = text[error.start]
        byte = "\udc80" <= half <= "\udcff"
        why = "it stands for a byte that is not UTF-8" if byte else "it is half of one"
        raise ValueError(
            f"character {error.start + 1} of the text, {half!r}, is none: {why}"
        ) from None


def require_texts(inputs: Any) -> None:
    """Raise `ValueError` as `require_characters` for any text within lists and tuples."""
    left = [inputs]
    while left:
        each = left.pop()
        if isinstance(each, str):
            require_characters(each)
        elif isinstance(each, (list, tuple)):
            left += each


@contextmanager
def refused_as_value_error() -> Iterator[None]:
    """Turn what the package `tokenizers` raises into `ValueError`.

    That is bare `Exception`, or what becomes of a panic, which is none.
    """
    try:
        yield
    except ValueError:
        raise
    except BaseException as error:
        own = type(error) is Exception or type(error).__name__ == "PanicException"
        if not own and not isinstance(error, (TypeError, OverflowError)):
            raise
        raise ValueError(f"the tokenizer says: {shortened(str(error), 200)}") from None


def require_steady(inner: Any) -> None:
    """Let a tokenizer of the package read and write something, which ends one that panics."""
    try:
        inner.decode(inner.encode(PROBE, add_special_tokens=False).ids)
    except Exception:
        # What it does not know is said of a text that is asked for; a panic is no `Exception`.
        return


def _require_charsmap(text: Any) -> None:
    """Raise `ValueError` for a table of characters that is not as long as it says.

    The package would ask for as much memory as it says.
    """
    try:
        content = b64decode(text or "", validate=True)
        length = int.from_bytes(content[:4], "little")
    except (ValueError, TypeError):
        content, length = b"", 0
    if not 4 <= length <= len(content) - 4 or length % 4:
        raise ValueError("the precompiled_charsmap of its normalizer is not as long as it says")


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    """Every table within a value, itself among them."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            yield each
            left += each.values()
        elif isinstance(each, list):
            left += each


def _texts(entries: dict[str, Any]) -> Iterator[str]:
    """Every text in a table, names among them, but tables of characters."""
    left: list[Any] = [entries]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            yield from each
            left += (held for name, held in each.items() if name != "precompiled_charsmap")
        elif isinstance(each, list):
            left += each


def _length(table: dict[str, Any]) -> int:
    """How long what a table puts into a text is."""
    put = [table.get(name) for name in ("content", "prepend", "replacement")]
    return max((len(each) for each in put if isinstance(each, str)), default=0)
