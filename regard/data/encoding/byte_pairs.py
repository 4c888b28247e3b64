"""The tokenizer of `vocab.json` and `merges.txt`: pairs of bytes that are merged, as GPT-2's.

References:
    Radford, Wu, Child, Luan, Amodei, Sutskever. Language Models are Unsupervised Multitask
    Learners. 2019.
    https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf
"""

from pathlib import Path
from typing import Any

from regard._io.files import read_file, read_json
from regard._printable import shown
from regard.data.encoding.published_kinds import BYTE_PAIRS, GPT1, GPT2, finished, kind_of
from regard.data.encoding.token_options import TokenOptions
from regard.data.encoding.tokenizer import Tokenizer

VOCAB, MERGES = "vocab.json", "merges.txt"
WORD_END = "</w>"
"""How GPT-1's tokens say that a word ends."""


def read_byte_pairs(folder: Path, options: TokenOptions) -> Tokenizer:
    """The tokenizer of a folder with these two files.

    Raises `FileNotFoundError` where one is missing, `ValueError` naming the file for a damaged one.
    """
    for name, other in ((VOCAB, MERGES), (MERGES, VOCAB)):
        if not (folder / name).exists():
            raise FileNotFoundError(f"there is no {name} in {folder}, without which {other} says "
                                    "nothing; copy it there")  # fmt: skip
    kind = kind_of(options, BYTE_PAIRS, VOCAB)
    numbers = _numbers(folder / VOCAB)
    suffix = WORD_END if kind is GPT1 else ""
    merges = _merges(folder / MERGES, numbers)
    model: dict[str, Any] = {"type": "BPE", "vocab": dict(numbers), "merges": merges}
    if kind is GPT1:
        unknown = {**kind.named, **options.named}["unk"]
        entries: dict[str, Any] = {
            "model": {**model, "unk_token": unknown, "end_of_word_suffix": suffix},
            "normalizer": {
                "type": "BertNormalizer",
                **{"clean_text": True, "handle_chinese_chars": True},
                **{"strip_accents": None, "lowercase": True},
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "decoder": {"type": "BPEDecoder", "suffix": suffix},
        }
    else:
        cut = {
            "type": "ByteLevel",
            "add_prefix_space": options.flag("add_prefix_space", False),
            "trim_offsets": True,
            "use_regex": True,
        }
        entries = {"model": model, "pre_tokenizer": cut, "decoder": cut}
    single, pair = kind.single, kind.pair
    if kind is GPT2 and options.flag("add_bos_token", False):
        single, pair = "bos text", "bos text second:1"
    try:
        return Tokenizer.of_entries(finished(entries, numbers, kind, options, single, pair))
    except ValueError as error:
        raise ValueError(f"{folder / VOCAB} is not a list of tokens: {error}") from None


def _numbers(path: Path) -> dict[str, int]:
    try:
        found = read_json(read_file(path))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    if not isinstance(found, dict) or not found:
        raise ValueError(f"{path} is not a list of tokens with their numbers, but {shown(found)}")
    for token, number in found.items():
        if type(number) is not int or number < 0:
            raise ValueError(f"{path} gives the token {shown(token)} the number {shown(number)}")
    return found


def _merges(path: Path, numbers: dict[str, int]) -> list[list[str]]:
    """The pairs, the most frequent first; each must be of tokens, and make one."""
    try:
        lines = read_file(path).decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 at byte {error.start:,}") from None
    found = []
    for place, line in enumerate(lines, 1):
        line = line.removesuffix("\r")
        if not line or line.startswith("#version"):
            continue
        pair = line.split(" ")
        if len(pair) != 2:
            raise ValueError(f"{path}, line {place:,}: {shown(line)} is no pair of tokens")
        for token in (*pair, "".join(pair)):
            if token not in numbers:
                raise ValueError(
                    f"{path}, line {place:,}: {shown(line)} needs the token {shown(token)}, which "
                    f"is none of the {len(numbers):,} in {VOCAB}"
                )
        found.append(pair)
    return found
