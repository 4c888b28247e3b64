"""The tokenizer of a Hugging Face folder: `tokenizer.json`, or BERT's `vocab.txt`."""

from pathlib import Path
from typing import Any

from regard._io.files import read_file, read_json_file
from regard._printable import shown
from regard.data.encoding.tokenizer import Tokenizer

WHOLE, LINES, OPTIONS = "tokenizer.json", "vocab.txt", "tokenizer_config.json"
OLDER = ("vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
"""Files of tokens that only their own packages read."""
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
    path = folder / LINES
    if not path.exists():
        raise FileNotFoundError(f"there is no {WHOLE} or {LINES} in {folder}; {_way_out(folder)}")
    options = _options(folder)
    try:
        lines = read_file(path).decode().removesuffix("\n").split("\n")
        return Tokenizer.of_bert([line.removesuffix("\r") for line in lines], **options)
    except ValueError as error:
        raise ValueError(f"{path} is not a list of BERT's tokens: {error}") from None


def _way_out(folder: Path) -> str:
    """What to do for tokens, by what a folder has of them."""
    old = [name for name in OLDER if (folder / name).exists()]
    if not old:
        return "copy the file of its tokens there"
    return (
        f"it has {' and '.join(old)}, which are read by transformers: "
        f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r}) writes "
        f"{WHOLE}"
    )


def _options(folder: Path) -> dict[str, Any]:
    """What `tokenizer_config.json` says of case, accents and Chinese characters."""
    path = folder / OPTIONS
    said = read_json_file(path) if path.exists() else {}
    if not isinstance(said, dict):
        raise ValueError(f"{path} is no table, but {shown(said)}")
    found = {ours: said[theirs] for theirs, ours in SAID.items() if said.get(theirs) is not None}
    for theirs, ours in SAID.items():
        if ours in found and type(found[ours]) is not bool:
            raise ValueError(
                f"{path} says {theirs} is {shown(found[ours])}, which is neither true nor false"
            )
    return found
