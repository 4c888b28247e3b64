"""The options of `regard predict`."""

import argparse
from pathlib import Path

from regard.cli.options.answers import add_answers
from regard.cli.options.columns import ASKED, add_columns


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "Run a trained model, and see where it attended."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as runs/dates")
    texts = parser.add_argument(
        "texts",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="a text, a file in any format that training reads, which is answered row by row, or "
        "- for standard input, as without any where that is no terminal; dates start with a "
        'language tag, as in "<fr> mardi 3 mars 2026", a pair has a tab between its sentences, a '
        "story ends with its question, and chosen items are separated by commas, quoted if they "
        "contain one; a text or line that is a JSON object with the run's columns "
        """or roles as keys, {"left": "...", "right": "..."}, is that row""",
    )
    # With `*` it would be empty where an option stands before the first text.
    texts.required = False
    add_answers(parser, 1)
    parser.add_argument(
        "--show",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw the attention (default: for texts on the command line)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per text instead")
    _files(parser.add_argument_group("files"))


def _files(files: argparse._ArgumentGroup) -> None:
    """How an input file is read, and where the answers are written."""
    files.add_argument(
        "--out",
        dest="writing:out",
        metavar="FILE",
        help="write all rows and columns with answer and probability (and answers, if there are "
        "several) in the format of FILE, .csv, .tsv, .jsonl or .parquet, or only the answers as "
        r".txt; in .tsv and .txt tabs and newlines are written \t and \n; - is standard output",
    )
    files.add_argument(
        "--force", dest="writing:force", action="store_true", help="overwrite FILE if it exists"
    )
    files.add_argument(
        "--compare",
        dest="reading:compare",
        action="store_true",
        help="report how many answers match the file's own column of labels",
    )
    files.add_argument(
        "--encoding",
        dest="reading:encoding",
        metavar="NAME",
        help="of text files and standard input (default: detected for files, utf-8 for input)",
    )
    files.add_argument(
        "--as-text",
        dest="reading:as_text",
        action="store_true",
        help="take TEXT literally, not as a file, and lines not as JSON objects",
    )
    add_columns(files, ASKED)
