"""Small data of every format, settings to train on it in a second, and the call of the program."""

import json
from pathlib import Path

import pyarrow
from pyarrow import parquet

WORDS = {"ab": "BA", "cd": "DC", "e": "E", "bad": "DAB", "ace": "ECA"}
PAIRS = [(f"{one} {other}", f"{WORDS[other]} {WORDS[one]}") for one in WORDS for other in WORDS] * 2
LABELLED = [(one, "with" if "a" in one else "without") for one, _ in PAIRS]
BLOCKS = ("embed_dim=16", "num_heads=2", "ff_dim=16", "layers=1", "tokens=characters")
"""Settings of a small Transformer."""
SHORT = {
    **dict.fromkeys(("pairs", "side", "odd"), "extra_length=5"),
    "text": "length=20",
}
"""Kind of data → how much is written of it: a network that learned nothing does not end."""


def sets(*settings: str) -> list[str]:
    """Settings as a command line has them."""
    return [part for setting in settings for part in ("--set", setting)]


def as_table(path: Path, names: tuple[str, str], rows: list[tuple[str, str]]) -> Path:
    """A table in the format that the file's ending names."""
    entries = [dict(zip(names, row, strict=True)) for row in rows]
    if path.suffix == ".parquet":
        parquet.write_table(pyarrow.Table.from_pylist(entries), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    else:
        between = "," if path.suffix == ".csv" else "\t"
        path.write_text("".join(between.join(row) + "\n" for row in [names, *rows]))
    return path


def put(folder: Path, kind: str) -> Path:
    """Data of one kind: `pairs.tsv`, `labels.csv`, `numbers.csv`, `side` by side, `text.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / kind
    if kind == "side":
        path.mkdir()
        for column, ending in enumerate(("en", "de")):
            for split, rows in (("train", PAIRS), ("valid", PAIRS[:9]), ("test", PAIRS[:7])):
                text = "".join(row[column] + "\n" for row in rows)
                (path / f"{split}.{ending}").write_text(text)
        return path
    if kind.endswith(".txt"):
        path.write_text("abcd abcd\n" * 150)
        return path
    if kind.startswith("numbers"):
        rows = [(text, str(text.count("b"))) for text, _ in LABELLED]
        return as_table(path, ("text", "number"), rows)
    pairs = kind.startswith("pairs")
    names = ("source", "target") if pairs else ("text", "label")
    return as_table(path, names, PAIRS if pairs else LABELLED)


def train_arguments(data: Path, out: Path, *more: str) -> list[str]:
    """`regard train` on small data for three updates."""
    kind = data.stem
    short = [SHORT[kind]] if kind in SHORT else []
    block = ["block=8"] if kind == "text" else []
    small = [*sets(*BLOCKS, *short, *block), "--threads", "1"]
    return ["train", "--data", str(data), "--out", str(out), "--steps", "3", *small, *more]
