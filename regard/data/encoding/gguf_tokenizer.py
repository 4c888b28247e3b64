"""The tokenizer that a GGUF file holds: tokens, their kinds, and pairs to merge or scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from regard._printable import shown
from regard.data.encoding.published_kinds import LLAMA, NO_KIND, finished
from regard.data.encoding.sentence_pieces import BYTE, PAIRS, SentencePieces, require_pieces
from regard.data.encoding.token_options import TokenOptions
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.unigrams import entries_of
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
    """The tokenizer that the values of a GGUF file describe.

    It is of merged pairs of bytes, as GPT-2's, or of sentencepiece's pieces, as LLaMA's.

    Raises `ValueError` for one of another model, and for tables that do not fit together.
    """
    model, cut = (values.get(f"tokenizer.ggml.{each}") for each in ("model", "pre"))
    if model == "llama":
        return Tokenizer.of_entries(entries_of(_pieces(values), LLAMA, _options(values)))
    if model != "gpt2":
        raise ValueError(f"its tokenizer is {shown(model)}; 'gpt2' and 'llama' are read")
    if cut is None:
        cut = "default"
    if not isinstance(cut, str) or cut not in CUTS:
        raise ValueError(f"its tokenizer cuts texts as {shown(cut)} does; there are {[*CUTS]}")
    tokens, merges = _texts(values, "tokens"), _texts(values, "merges")
    if len(tokens) > MAX_TOKENS:
        raise ValueError(f"it has {len(tokens):,} tokens, {MAX_TOKENS:,} are allowed")
    entries = _entries(list(tokens), list(merges), _kinds(values, len(tokens)), CUTS[cut])
    options = _options(values)
    begins = "bos text" if options.flag("add_bos_token", False) else ""
    pair = begins and f"{begins} second:1"
    numbers = entries["model"]["vocab"]
    return Tokenizer.of_entries(finished(entries, numbers, NO_KIND, options, begins, pair))


def _pieces(values: Mapping[str, Any]) -> SentencePieces:
    """The pieces of a sentencepiece model of merged pairs, with their scores."""
    tokens = list(_texts(values, "tokens"))
    scores: Any = values.get("tokenizer.ggml.scores")
    if getattr(scores, "shape", None) != (len(tokens),):
        said = len(scores) if hasattr(scores, "__len__") else shown(scores)
        raise ValueError(f"it says the scores of {said} tokens, but there are {len(tokens):,}")
    numbers, kinds = [float(each) for each in scores], _kinds(values, len(tokens))
    require_pieces(list(zip(tokens, numbers, kinds, strict=True)))
    return SentencePieces(
        pieces=tuple(tokens),
        scores=tuple(numbers),
        kinds=tuple(kinds),
        algorithm=PAIRS,
        charsmap=b"",
        prefix=True,
        strips=False,
        bytewise=BYTE in kinds,
    )


def _options(values: Mapping[str, Any]) -> TokenOptions:
    """What is put around texts, and the special tokens by their numbers."""
    tokens = _texts(values, "tokens")
    found = {
        word: values.get(f"tokenizer.ggml.{name}")
        for word, name in (
            ("add_bos_token", "add_bos_token"),
            ("add_eos_token", "add_eos_token"),
            ("add_prefix_space", "add_space_prefix"),
        )
    }
    named = {}
    for role, word in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")):
        number = values.get(f"tokenizer.ggml.{word}_token_id")
        if isinstance(number, int) and 0 <= number < len(tokens):
            named[role] = tokens[number]
    return TokenOptions(Path("tokenizer.ggml"), "llama", found, named, (), ())


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
