"""The tokenizer of a Hugging Face folder, in whichever of the formats its files are.

    tokenizer.json                     everything
    vocab.txt                          BERT's tokens, one a line
    vocab.json, merges.txt             pairs of bytes: GPT-2, RoBERTa, GPT-1 (byte_pairs.py)
    spiece.model and the like          sentencepiece: T5, ALBERT, XLNet, LLaMA (unigrams.py)

The first that is there is read; what is beside it says how (token_options.py).
"""

import json
from pathlib import Path
from typing import Any

from regard._io.files import read_file
from regard._printable import shown
from regard.data.encoding.byte_pairs import MERGES, VOCAB, read_byte_pairs
from regard.data.encoding.token_options import ADDED, NAMES, OPTIONS, TokenOptions
from regard.data.encoding.token_options import read_token_options as _options
from regard.data.encoding.tokenizer import Tokenizer
from regard.data.encoding.unigrams import read_unigrams

WHOLE, LINES = "tokenizer.json", "vocab.txt"
MOST_NAMED = 5
"""Tokens that a message names."""
SENTENCE_PIECES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
TOKEN_FILES = (WHOLE, LINES, VOCAB, MERGES, *SENTENCE_PIECES, OPTIONS, NAMES, ADDED)
"""The files that tokens depend on."""
SAID = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
"""Options in `tokenizer_config.json` for `vocab.txt` → those of BERT's tokenizer."""


def read_tokenizer(folder: str | Path) -> Tokenizer:
    """Load the tokenizer of a folder.

    Raises `FileNotFoundError` if there is none, `ValueError` naming the file for a damaged one.
    """
    folder = Path(folder)
    if (folder / WHOLE).exists():
        return Tokenizer.load(folder / WHOLE)
    if (folder / LINES).exists():
        return _of_lines(folder / LINES, _options(folder))
    if (folder / VOCAB).exists() or (folder / MERGES).exists():
        return read_byte_pairs(folder, _options(folder))
    for name in SENTENCE_PIECES:
        if (folder / name).exists():
            return read_unigrams(folder / name, _options(folder))
    raise FileNotFoundError(
        f"there is no {WHOLE}, {LINES}, {VOCAB} or {SENTENCE_PIECES[0]} in {folder}; copy the "
        "file of its tokens there"
    )


def require_rows(tokenizer: Tokenizer, vocab: int, owner: str) -> None:
    """Raise `ValueError` if an embedding of `vocab` rows lacks any for the tokens of its `owner`.

    Tokens that were added without a row are named.
    """
    more = range(vocab, len(tokenizer))
    if not more:
        return
    why = "the tokenizer is another network's"
    if tokenizer.added.issuperset(more):
        named = ", ".join(map(shown, tokenizer.tokens(more[:MOST_NAMED])))
        why = (
            f"{named}{' and more' if len(more) > MOST_NAMED else ''} were added to the tokenizer "
            "alone; take them out of it, or give the network rows for them "
            "(resize_token_embeddings of transformers)"
        )
    raise ValueError(f"{owner} has {len(tokenizer):,} tokens, and an embedding of {vocab:,}; {why}")


def _of_lines(path: Path, options: TokenOptions) -> Tokenizer:
    """BERT's tokens, one a line, and those that were added later."""
    given = {
        ours: options.flag(theirs, True)
        for theirs, ours in SAID.items()
        if options.options.get(theirs) is not None
    }
    try:
        lines = read_file(path).decode().removesuffix("\n").split("\n")
        found = Tokenizer.of_bert([line.removesuffix("\r") for line in lines], **given)
        known: dict[str, Any] = json.loads(found.json()) if options.added else {}
        listed = {each["content"]: each for each in known.get("added_tokens", ())}
        listed |= {each["content"]: dict(each) for each in options.added}
        ordered = sorted(listed.values(), key=lambda each: int(each["id"]))
        return Tokenizer.of_entries({**known, "added_tokens": ordered}) if known else found
    except ValueError as error:
        raise ValueError(f"{path} is not a list of BERT's tokens: {error}") from None
