"""Files of other tools that are recognized and not read, and how to make of them what is."""

import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from regard.data.reading.pictures import PICTURE_ENDINGS
from regard.data.reading.unread_media import RECORDED

_PICTURE = "; learned are folders of pictures (cat/1.png, dog/2.png), and tables of their paths"
_SAVE = "save the data as CSV or parquet"
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
    *((b"\x80%c" % n, f"a pickle, which could run anything; {_SAVE}") for n in range(2, 6)),
    (b"ARROW1", "an Arrow file (Feather); write it as parquet: pyarrow.feather.read_table(FILE)"),
    (b"FEA1", "a Feather file; write it as parquet: pyarrow.feather.read_table(FILE)"),
    (b"ORC", "an ORC file; write it as parquet: pyarrow.orc.read_table(FILE)"),
    (b"Obj\x01", "an Avro file; write it as JSON lines: fastavro FILE > FILE.jsonl"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd; unpack it first: zstd -d FILE"),
    (b"\x7fELF", "a program"),
    (b"\xff\xff\xff\xff", "a stream of Arrow; write it as parquet: pyarrow.ipc.open_stream(FILE)"),
    (b"\x1f\x8b", "packed twice by gzip; unpack it once: gunzip FILE"),
    (b"<stata_dta>", "a file of Stata; write it with pandas: read_stata(FILE).to_csv('FILE.csv')"),
    (b"$FL", "a file of SPSS; write it with pandas: read_spss(FILE).to_csv('FILE.csv')"),
    (b"MATLAB 5.0", "a file of MATLAB; write its texts as CSV: writetable"),
    (b"\0\0\x08\3", f"pictures of MNIST (IDX){_PICTURE}"),
    (b"\0\0\x08\1", f"labels of MNIST (IDX){_PICTURE}"),
    (b"RDX", "a file of R; write its table: write.csv(x, 'FILE.csv')"),
)
"""First bytes, and what the file is."""

_ZIPPED = {
    ".npz": "a file of NumPy's arrays, in which there is no text",
    **dict.fromkeys((".pt", ".pth", ".ckpt"), f"a file of PyTorch's tensors; {_SAVE}"),
    **dict.fromkeys((".numbers", ".pages"), "a file of Apple's office; export it as CSV or text"),
}
"""What zip archives are by their names."""
_CONTROLS = bytes([0, *range(2, 9), *range(14, 27)])
"""Bytes that stand in no text and between no cells."""
_MOST_CONTROLS = 0.03
_FEW_CONTROLS = 8
"""So few may have got into a text, however short it is."""
_TEXTS = (
    (
        r"version https://git-lfs",
        "a pointer of Git LFS, and not the data; fetch it with: git lfs pull",
    ),
    (r"diff --git |--- \S.*\n\+\+\+ \S", "a patch; write what is to be read as a table"),
    (r"from: .*@.*\n(to|date|subject|cc|sent): ", "an e-mail; write its text as a table"),
    (r"#FORMAT=WebAnno", "WebAnno's table; export words and their tags, one a line (CoNLL 2002)"),
    (r"\s*<!doctype html|\s*<html", "HTML; take the text out of it, as with: w3m -dump FILE.html"),
    (
        r"\s*(<\?xml[^>]*>\s*)?<(?!tmx|xliff)[a-zA-Z](?!\S*> [^<>\n]*\n<)",
        "markup; write what is to be read as a table",
    ),
    (r"(%.*\n|\s)*@relation\b", "an ARFF file of Weka; write its rows as CSV"),
    (
        r"(%.*\n|\s)*(\\documentclass|\\begin\{)",
        "LaTeX source; convert it with: pandoc -t plain FILE.tex",
    ),
    (r"\{\\rtf", "RTF; save it as plain text"),
    (r"# A tibble: ", "a table that R printed; write it with: write.csv(x, 'FILE.csv')"),
    (r"\{\|", "a table of a wiki; write it as CSV"),
    (
        r"={3,}( +={3,})+ *\n",
        "a table of reStructuredText; convert it with: pandoc -f rst -t json, or write it as CSV",
    ),
    (r"\*{3,} 1\. row \*{3,}", "rows that MySQL printed one by one; write them without \\G"),
    (
        r'(\s|/\*.*\*/|//.*)*"[^"\n]*" = "[^"\n]*";',
        "texts of an app (.strings); write text and translation as a table",
    ),
    (r"(.*\n){0,9}## intent: ?\w", "Rasa's examples; write text and intent as a table"),
    (
        r"window\.YTD\.\w+\.part\d+ = ",
        "a part of Twitter's archive; cut 'window.YTD... = ' off its first line, and call it .json",
    ),
    (
        r"(//.*\n|\s)*\w+(:\w+(\(\w+\))?)?\s*\{\s*\n\s*\w+\s*(:\w+\s*)?\{",
        "ICU's resources; write a table of key and text, or of text and translation",
    ),
    (
        r'File type = "ooTextFile"',
        "a TextGrid of Praat; write the texts of its intervals, with their labels, as a table",
    ),
    (
        r"1 [^\t\n]+\t[^\t\n]+\t\t[^\t\n]*\|",
        "talks with candidates (PersonaChat); write what is said and what is answered, with a tab "
        "between, and call it .tsv",
    ),
    (r"WEBVTT", "subtitles (WebVTT); take out the numbers and times"),
    (r"\d+\s*\n\d\d:\d\d:\d\d,\d{3} --> ", "subtitles (SRT); take out the numbers and times"),
    (r"\[script info\]", "subtitles (SSA); take out all but what is said"),
    (
        r"(\[[a-z]+:[^\]\n]*\]\s*\n)*(\[\d+:\d\d(\.\d+)?\](?! ?(<\w+>|\w+:) ).*\n){3}",
        "song lines with times (LRC); take out the times",
    ),
    (r'(#.*\n)*msgid "', "a gettext catalogue; convert it with: po2csv or po2tmx FILE"),
    (r"From \S+@\S+ .*\d{4}\n|From - ", "a mailbox; write its messages as a table"),
    (
        r"((return-path|received|delivered-to|message-id|mime-version): .*\n)",
        "an e-mail; write its text as a table",
    ),
    (r"[+-]?\d+ (\d+:[\d.e-]+ ?){2,}", "features in numbers (SVMlight), in which there is no text"),
    (
        r"[+-]?[\d.]+( [\d.]+)? ('\S+ ?)?\|\w+ \S",
        "Vowpal Wabbit's lines; write label and text as a table",
    ),
    (
        r"(#.*\n|\s)*(---\s*\n(- |\w+:)|(- \w+: .*\n)|(\w+:( [\"'\w.]+)?\n)+\s*- )",
        "YAML; write it as JSON lines",
    ),
    (
        r"((#|;).*\n|\s)*\[{1,2}[\w. \-]+\]{1,2}\s*\n[\w.\-]+ ?= ?\S",
        "a file of settings; write what is to be read as a table",
    ),
    (r"/Filter|%!PS", "PostScript; convert it to text"),
    (
        r"(--.*\n|/\*.*\*/;?|\s)*(create table|insert into|drop table|pragma |set names)\b",
        "SQL; write the table as CSV",
    ),
    (r"\s*begin:v(card|calendar)\b", "a file of contacts or dates; write it as a table"),
    (
        r"(%.*\n|\s)*@(article|book|inproceedings|misc|string|comment|phdthesis|techreport)\s*\{",
        "BibTeX; write what is to be read as a table",
    ),
    (
        r">\S.*\n([A-Z*-]{20,}\s*\n)",
        "sequences with names (FASTA); write sequence and label as a table",
    ),
    (
        r"[TRAE#]\d+\t\w+ \d+ \d+(;\d+ \d+)*\t",
        "brat's notes on a text; write its words and their tags, one a line",
    ),
    (
        r"\d+:\s*\n(\d+,\d,\d{4}-\d\d-\d\d\s*\n)",
        "ratings by film (Netflix); write user,item,rating,date on each line",
    ),
)
"""How the text of a file begins, and what it is."""


_LOOKED_AT = 2000
"""Files of a folder that are looked at."""
_UNREAD_PICTURES = (
    ".heic",
    ".heif",
    ".avif",
    ".svg",
    ".dng",
    ".cr2",
    ".nef",
    ".psd",
    ".dcm",
    ".jxl",
)
_UNREAD_FILES = {
    RECORDED: ("files of sound or moving pictures", "write their texts and labels as a table"),
    (".pdf",): ("PDFs", "convert them with: pdftotext FILE.pdf FILE.txt"),
    (".docx", ".doc", ".odt", ".pptx", ".rtf"): ("Office files", "save them as text"),
    (".html", ".htm"): ("HTML", "take the text out of them, as with: w3m -dump FILE.html"),
}
"""Endings of files that are not read, what these are, and the way out."""
_BOXES = re.compile(r"instances.*\.json|.*\.coco\.json|person_keypoints.*\.json")
_NOTES = {
    ".txt": "if they are captions, write a table of them: image,caption; boxes (YOLO) are not read",
    ".json": "notes on pictures (labelme) are not read; draw masks, or write a table of labels",
    ".xml": "boxes (Pascal VOC) are not read; write a table of labels: image,label",
}
"""What stands beside pictures file by file."""


_FEWEST_KEYS = 5
"""Texts from which on an object of them is a catalogue."""


class NotReadError(ValueError):
    """A format that is recognized and not read."""


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
    if head.startswith(b"PK") and path.suffix.lower() in _ZIPPED:
        return f"{path} is {_ZIPPED[path.suffix.lower()]}"
    if head.startswith(b"PK\x03\x04") and path.suffix.lower() != ".zip":
        return f"{path} is a zip archive or an Office file; unpack it, or save it as text or .csv"
    if head[257:262] == b"ustar":
        return f"{path} is a tar archive; unpack it first: tar xf FILE"
    return None


def is_binary(path: Path, head: bytes) -> str | None:
    """What is wrong with a file that begins with these bytes of no wide encoding, if it is no text.

    >>> is_binary(Path("a.txt"), b"text") is None, is_binary(Path("a.bin"), bytes(range(9)))[:16]
    (True, 'a.bin is no text')
    """
    count = sum(head.count(byte) for byte in _CONTROLS)
    if count < max(_FEW_CONTROLS, _MOST_CONTROLS * len(head)):
        return None
    return (
        f"{path} is no text ({count:,} of its first {len(head):,} bytes are control characters), "
        "and of no format that is known; export what is in it as CSV, JSON lines or parquet"
    )


def not_read_folder(folder: Path) -> str | None:
    """The same for a folder: whether notes of brat lie beside its texts, `1.ann` beside `1.txt`."""
    for pattern in ("*.ann", "*/*.ann"):
        for notes in sorted(folder.glob(pattern)):
            text = notes.with_suffix(".txt")
            if text.is_file():
                where = notes.relative_to(folder).as_posix()
                return (
                    f"{folder} holds texts with brat's notes beside them ({where} beside "
                    f"{text.name}), which are not read; write the words of the texts and their "
                    "tags, one a line (CoNLL)"
                )
    if (folder / "channels.json").is_file() and (folder / "users.json").is_file():
        return (
            f"{folder} is an export of Slack, which is not read; write its messages as a table: "
            "text and label, or what is said and what is answered"
        )
    files = [path for path in islice(folder.rglob("*.*"), _LOOKED_AT) if path.is_file()]
    boxes = sorted(path for path in files if _BOXES.fullmatch(path.name))
    if boxes and not any(path.name.startswith("captions") for path in files):
        return (
            f"{folder} holds notes on parts of pictures ({boxes[0].name}, COCO), which are not "
            "read; draw masks, or write a table of labels"
        )
    pictures = sorted(path for path in files if path.suffix.lower() in PICTURE_ENDINGS)
    for ending, what in _NOTES.items():
        stems = {path.stem for path in files if path.suffix.lower() == ending}
        beside = [path for path in pictures if path.stem in stems]
        if len(beside) > 1 and 2 * len(beside) > len(pictures):
            both = f"{beside[0].name}, {beside[0].stem}{ending}"
            return f"{folder} holds a file for each picture ({both}): {what}"
    for endings, (kind, out) in _UNREAD_FILES.items():
        found = sorted(path for path in files if path.suffix.lower() in endings)
        if 2 * len(found) > len(files):
            return f"{folder} holds {kind} ({found[0].name}), which are not read; {out}"
    unread = [path.suffix.lower() for path in files if path.suffix.lower() in _UNREAD_PICTURES]
    if 2 * len(unread) > len(files):
        return (
            f"{folder} holds pictures of a kind that is not read ({', '.join(sorted({*unread}))}); "
            "convert them to PNG or JPEG"
        )
    return None


def not_read_json(path: Path, document: Any) -> str | None:
    """The same for a whole document of JSON."""
    first = document[0] if isinstance(document, list) and document else None
    if isinstance(first, (list, tuple)) and len(first) == 2 and isinstance(first[1], dict):
        if {"entities", "cats"} & {*first[1]}:
            return (
                f"{path} has spaCy's pairs of a text and its notes; write text and label as a "
                "table, or words and their tags, one a line (CoNLL)"
            )
    paragraphs = first.get("paragraphs") if isinstance(first, dict) else None
    if isinstance(paragraphs, list) and paragraphs and isinstance(paragraphs[0], dict):
        if "context" not in paragraphs[0] and {"raw", "sentences"} & {*paragraphs[0]}:
            return (
                f"{path} has spaCy's documents; write words and their tags, one a line (CoNLL), or "
                "text and label as a table"
            )
    if not isinstance(document, dict):
        return None
    if "cells" in document and "nbformat" in document:
        return (
            f"{path} is a notebook (Jupyter); convert it with: jupyter nbconvert --to script FILE"
        )
    if {"images", "annotations"} <= {*document}:
        notes = document["annotations"]
        note = notes[0] if isinstance(notes, list) and notes else None
        if isinstance(note, dict) and "caption" in note:
            return (
                f"{path} has captions (COCO) without a list of images (id, file_name); write a "
                "table with a row for each: image,caption"
            )
        return (
            f"{path} has pictures and notes on parts of them (COCO); draw the outlines of each "
            "picture as a mask, and write a table: image,mask, or image,label for its class"
        )
    if {"article", "questions", "options"} <= {*document}:
        return (
            f"{path} asks for one of several options (RACE), which is not read; write a row for "
            "each option, with the article, the question and the option, and 1 or 0"
        )
    if _is_catalogue(document):
        return (
            f"{path} has texts by their keys, as catalogues of an app do; write a table with a "
            "row for each key: text,translation"
        )
    if document.get("type") == "FeatureCollection":
        return f"{path} is GeoJSON; write the properties of its features as a table"
    return None


def _is_catalogue(document: Mapping[str, Any]) -> bool:
    """Whether an object holds texts alone, each under a key of its own, however deep."""
    keys: list[str] = []
    waiting = [document]
    while waiting:
        for key, value in waiting.pop().items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, str):
                keys.append(key)
            else:
                return False
    return len(keys) >= _FEWEST_KEYS and 2 * len({*keys}) > len(keys)


def not_read_text(path: Path, head: str) -> str | None:
    """The same for a file whose text begins so."""
    for pattern, what in _TEXTS:
        if re.match(pattern, head, re.IGNORECASE):
            return f"{path} is {what}"
    return None
