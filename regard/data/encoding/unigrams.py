"""The tokenizer of a sentencepiece model: unigrams or merged pairs, with a family's own reading.

T5, XLM-R   the model's table of characters; T5's sentinels stand behind its pieces
ALBERT      quotes as one sign, no accents, small letters; then the table
XLNet       the same with case
LLaMA       every space is kept
"""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from regard.data.encoding.published_kinds import (
    ALBERT,
    LLAMA,
    ROBERTA,
    SENTENCE_PIECES,
    T5,
    XLNET,
    TokenizerKind,
    finished,
    kind_of,
)
from regard.data.encoding.sentence_pieces import (
    CONTROL,
    NORMAL,
    OWN,
    UNIGRAM,
    UNKNOWN,
    SentencePieces,
    read_sentence_pieces,
)
from regard.data.encoding.token_options import PLAIN, TokenOptions
from regard.data.encoding.tokenizer import Tokenizer

SPACE = "▁"
SENTINELS = 100
"""T5's sentinels `<extra_id_99>` to `<extra_id_0>`, where the folder says no other number."""
UNLIKELY = 100.0
"""What ALBERT and XLNet take off the score of `9,`, which they cut before the comma."""


def read_unigrams(path: Path, options: TokenOptions) -> Tokenizer:
    """The tokenizer of a file such as `spiece.model`; `ValueError` naming it for a damaged one."""
    kind = kind_of(options, SENTENCE_PIECES, path.name)
    entries = entries_of(read_sentence_pieces(path), kind, options)
    try:
        return Tokenizer.of_entries(entries)
    except ValueError as error:
        raise ValueError(f"{path} is not read as tokens: {error}") from None


def entries_of(read: SentencePieces, kind: TokenizerKind, options: TokenOptions) -> dict[str, Any]:
    """What a `tokenizer.json` would say of these pieces; `ValueError` where a token is missing."""
    listed = _listed(read, kind, options)
    numbers = {piece: number for number, (piece, _) in enumerate(listed)}
    entries = _entries(read, listed, numbers, kind, options)
    return finished(entries, numbers, kind, options, *_around(kind, options))


def _listed(
    read: SentencePieces, kind: TokenizerKind, options: TokenOptions
) -> list[tuple[str, float]]:
    """The tokens in the family's order, with their scores."""
    found = list(zip(read.pieces, read.scores, strict=True))
    if kind is ROBERTA:  # fairseq's own four, one more than sentencepiece's three, and a mask.
        first = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")]
        return [*first, *found[3:], ("<mask>", 0.0)]
    if kind is T5:
        count = options.count("extra_ids", SENTINELS)
        more, known = [f"<extra_id_{n}>" for n in reversed(range(count))], set(read.pieces)
        return [*found, *((each, 0.0) for each in more if each not in known)]
    if kind in (ALBERT, XLNET):
        return [(piece, score - UNLIKELY * _is_number(piece)) for piece, score in found]
    return found


def _is_number(piece: str) -> bool:
    """Whether a piece ends in a digit and a comma."""
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()


def _entries(
    read: SentencePieces,
    listed: list[tuple[str, float]],
    numbers: Mapping[str, int],
    kind: TokenizerKind,
    options: TokenOptions,
) -> dict[str, Any]:
    unknown = read.pieces[read.unknown]
    if read.algorithm == UNIGRAM:
        model: dict[str, Any] = {
            "type": "Unigram",
            "unk_id": numbers[unknown],
            "vocab": [[piece, score] for piece, score in listed],
            "byte_fallback": read.bytewise,
        }
    else:
        model = {
            "type": "BPE",
            "vocab": dict(numbers),
            "merges": merges(read),
            "unk_token": unknown,
            "fuse_unk": True,
            "byte_fallback": read.bytewise,
        }
    own = [
        {"id": numbers[piece], "content": piece, "special": each != OWN, **PLAIN}
        for piece, each in zip(read.pieces, read.kinds, strict=True)
        if each in (UNKNOWN, CONTROL, OWN) and piece in numbers
    ]
    if kind is T5:
        own += [
            {"id": number, "content": piece, "special": True, **PLAIN}
            for piece, number in numbers.items()
            if piece.startswith("<extra_id_")
        ]
    prefix = read.prefix and options.flag("add_prefix_space", True)
    whole = kind is LLAMA
    cut = {
        "type": "Metaspace",
        "replacement": SPACE,
        "prepend_scheme": "always" if prefix else "never",
        "split": True,
    }
    words = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, cut]}
    bytewise = [{"type": "ByteFallback"}] * read.bytewise
    spaces = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        *bytewise,
        {"type": "Fuse"},
        *[{"type": "Strip", "content": " ", "start": 1, "stop": 0}] * prefix,
    ]
    return {
        "model": model,
        "added_tokens": own,
        "normalizer": {"type": "Sequence", "normalizers": _normalizers(read, kind, options)},
        "pre_tokenizer": None if whole else words,
        "decoder": {"type": "Sequence", "decoders": spaces if whole else [*bytewise, cut]},
    }


def _normalizers(
    read: SentencePieces, kind: TokenizerKind, options: TokenOptions
) -> list[dict[str, Any]]:
    """What a text goes through before it is cut."""
    table: list[dict[str, Any]]
    table = [{"type": "Precompiled", "precompiled_charsmap": b64encode(read.charsmap).decode()}]
    mapped = table * bool(read.charsmap)
    if kind in (ALBERT, XLNET):
        bare = [] if options.flag("keep_accents", False) else ["NFKD", "StripAccents"]
        small = options.flag("do_lower_case", kind is ALBERT)
        return [
            _put("``", '"'),
            _put("''", '"'),
            *({"type": each} for each in (*bare, *["Lowercase"] * small)),
            *mapped,
        ]
    if kind is LLAMA:
        prefix = read.prefix and options.flag("add_prefix_space", True)
        ends: dict[str, Any] = {"type": "Strip", "strip_left": True, "strip_right": True}
        several = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}
        return [
            *mapped,
            *[ends, several] * read.strips,
            *[{"type": "Prepend", "prepend": SPACE}] * prefix,
            _put(" ", SPACE),
        ]
    return mapped


def _put(old: str, new: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def _around(kind: TokenizerKind, options: TokenOptions) -> tuple[str, str]:
    """What is around a text and a pair, which of LLaMA's the folder says."""
    if kind is not LLAMA:
        return kind.single, kind.pair
    before = "bos " * options.flag("add_bos_token", True)
    behind = " eos" * options.flag("add_eos_token", False)
    second = f"{before}second{behind}".replace(" ", ":1 ") + ":1"
    single = f"{before}text{behind}"
    return single, f"{single} {second}"


def merges(read: SentencePieces) -> list[list[str]]:
    """The pairs of pieces that make a piece, the piece of the best score first.

    Sentencepiece merges what gives the best piece; only pieces of text are merged.
    """
    best = {
        piece: score
        for piece, score, kind in zip(read.pieces, read.scores, read.kinds, strict=True)
        if kind == NORMAL
    }
    pairs = [
        (piece[:at], piece[at:])
        for piece in best
        for at in range(1, len(piece))
        if piece[:at] in best and piece[at:] in best
    ]
    pairs.sort(key=lambda pair: (-best["".join(pair)], -len(pair[0])))
    return [list(pair) for pair in pairs]
