"""The tokenizer that a GGUF file holds: tokens, their kinds, and the pairs that are merged."""

from collections.abc import Mapping, Sequence
from typing import Any

from regard._printable import shown
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.vocabulary import MAX_TOKENS

_DIGITS = {"type": "Digits", "individual_digits": True}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
CUTS = {
    "default": [_BYTES],
    "gpt-2": [_BYTES],
    "smollm": [_DIGITS, _BYTES],
}
"""`tokenizer.ggml.pre` → how a text is cut before pairs are merged."""
CONTROL, OWN = 3, 4
"""`tokenizer.ggml.token_type` of what is never text, and of words that are never cut."""


def tokenizer_of(values: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that the values of a GGUF file describe: merged pairs of bytes, as GPT-2's.

    Raises `ValueError` for one of another model, and for tables that do not fit together.
    """
    model, cut = (values.get(f"tokenizer.ggml.{each}") for each in ("model", "pre"))
    if model != "gpt2":
        raise ValueError(f"its tokenizer is {shown(model)}; 'gpt2' alone is read")
    if cut is None:
        cut = "default"
    if not isinstance(cut, str) or cut not in CUTS:
        raise ValueError(f"its tokenizer cuts texts as {shown(cut)} does; there are {[*CUTS]}")
    tokens, merges = _texts(values, "tokens"), _texts(values, "merges")
    if len(tokens) > MAX_TOKENS:
        raise ValueError(f"it has {len(tokens):,} tokens, {MAX_TOKENS:,} are allowed")
    kinds = _kinds(values, len(tokens))
    return Tokenizer.of_entries(_entries(list(tokens), list(merges), kinds, CUTS[cut]))


def _texts(values: Mapping[str, Any], name: str) -> Sequence[str]:
    found = values.get(f"tokenizer.ggml.{name}")
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ValueError(f"its tokenizer.ggml.{name} are {shown(found)}, which are no texts")
    return found


def _kinds(values: Mapping[str, Any], count: int) -> list[int]:
    found = values.get("tokenizer.ggml.token_type")
    if found is None:
        return [1] * count
    if getattr(found, "shape", None) != (count,):
        said = len(found) if hasattr(found, "__len__") else shown(found)
        raise ValueError(f"it says the kinds of {said} tokens, but there are {count:,}")
    return [int(kind) for kind in found]


def _entries(
    tokens: list[str], merges: list[str], kinds: list[int], cut: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a `tokenizer.json` would say."""
    numbers = {token: number for number, token in enumerate(tokens)}
    if len(numbers) < len(tokens):
        twice = next(token for number, token in enumerate(tokens) if numbers[token] != number)
        raise ValueError(f"the token {shown(twice)} stands twice")
    pairs = [merge.split(" ") for merge in merges]
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise ValueError(f"{shown(' '.join(wrong))} is no pair of tokens to merge")
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": number, "content": tokens[number], "special": kind == CONTROL, **plain}
            for number, kind in enumerate(kinds)
            if kind in (CONTROL, OWN)
        ],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": cut},
        "decoder": _BYTES,
        "model": {"type": "BPE", "vocab": numbers, "merges": pairs},
    }
