"""The options of `regard eval`."""

import argparse
from pathlib import Path

from regard.cli.options.answers import add_answers
from regard.cli.options.columns import ROLES, add_columns
from regard.cli.options.values import natural, words


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "Measure a trained model on its test data, or on other data."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    data = parser.add_argument_group("other data")
    data.add_argument("--data", metavar="PATH", help="evaluate on all of this data instead")
    data.add_argument(
        "--encoding", metavar="NAME", help="of text files, such as cp1252 (default: detected)"
    )
    # `--answers` is a number here.
    add_columns(data, [role for role in ROLES if role != "answers"])
    parser.add_argument(
        "--split", choices=("valid", "test"), help="(default: test if there is one)"
    )
    parser.add_argument("--metrics", type=words, metavar="NAMES", help="such as bleu,chrf")
    add_answers(parser, 4)
    parser.add_argument(
        "--worst",
        type=natural,
        metavar="N",
        default=5,
        help="number of examples with the largest losses to show (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead")
