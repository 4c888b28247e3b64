"""Files of other tools that are recognized and not read, and how to make of them what is."""

import re
from pathlib import Path

_PICTURE = "; learned are folders of pictures (cat/1.png, dog/2.png), and tables of their paths"
MAGIC = (
    (b"%PDF", "a PDF; convert it with: pdftotext FILE.pdf FILE.txt"),
    (b"\x89PNG", f"a picture (PNG){_PICTURE}"),
    (b"\xff\xd8\xff", f"a picture (JPEG){_PICTURE}"),
    (b"GIF8", f"a picture (GIF){_PICTURE}"),
    (b"RIFF", "sound or a picture (RIFF), which is not read"),
    (b"SQLite format 3", "a database of SQLite; write a table of it: sqlite3 -csv -header FILE"),
    (b"\x89HDF", "an HDF5 file; write its table with pandas: read_hdf(FILE).to_csv('FILE.csv')"),
    (b"\x93NUMPY", "an array of NumPy, in which there is no text"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls, .doc); save it as .xlsx, .csv or text"),
    (b"\x80\x04", "a pickle, which could run anything; save the data as CSV or parquet"),
    (b"\x80\x05", "a pickle, which could run anything; save the data as CSV or parquet"),
    (b"ORC", "an ORC file; write it as parquet: pyarrow.orc.read_table(FILE)"),
    (b"Obj\x01", "an Avro file; write it as JSON lines: fastavro FILE > FILE.jsonl"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd; unpack it first: zstd -d FILE"),
    (b"\x7fELF", "a program"),
)
"""First bytes, and what the file is."""

_TEXTS = (
    (r"\s*<!doctype html|\s*<html", "HTML; take the text out of it, as with: w3m -dump FILE.html"),
    (r"\s*(<\?xml[^>]*>\s*)?<(?!tmx|xliff)[a-zA-Z]", "markup; write what is to be read as a table"),
    (r"@relation\b", "an ARFF file of Weka; write its rows as CSV"),
    (r"\\documentclass|\\begin\{", "LaTeX source; convert it with: pandoc -t plain FILE.tex"),
    (r"\{\\rtf", "RTF; save it as plain text"),
    (r"WEBVTT", "subtitles (WebVTT); take out the numbers and times"),
    (r"\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> ", "subtitles (SRT); take out the numbers and times"),
    (r'(#.*\n)*msgid "', "a gettext catalogue; convert it with: po2csv or po2tmx FILE"),
    (r"From \S+@\S+ .*\d{4}\n|From - ", "a mailbox; write its messages as a table"),
    (r"[+-]?\d+ (\d+:[\d.e-]+ ?){2,}", "features in numbers (SVMlight), in which there is no text"),
    (r"---\s*\n(- |\w+:)|(- \w+: .*\n)", "YAML; write it as JSON lines"),
    (r"/Filter|%!PS", "PostScript; convert it to text"),
)
"""How the text of a file begins, and what it is."""


def not_read(path: Path, head: bytes) -> str | None:
    """What is wrong with a file that begins with these bytes, None where nothing is.

    >>> not_read(Path("a.txt"), b"%PDF-1.7")
    'a.txt is a PDF; convert it with: pdftotext FILE.pdf FILE.txt'
    """
    for mark, what in MAGIC:
        if head.startswith(mark):
            return f"{path} is {what}"
    if head.startswith(b"PK") and path.suffix.lower() in (
        ".docx",
        ".odt",
        ".pptx",
        ".ods",
        ".epub",
    ):
        kind = path.suffix.lower()[1:]
        return f"{path} is an Office file (.{kind}); save it as text, .csv or .xlsx"
    return None


def not_read_text(path: Path, head: str) -> str | None:
    """The same for a file whose text begins so."""
    for pattern, what in _TEXTS:
        if re.match(pattern, head, re.IGNORECASE):
            return f"{path} is {what}"
    return None
