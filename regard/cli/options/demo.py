"""The options of `regard demo`."""

import argparse
from pathlib import Path

from regard.cli.options.values import natural, positive, words


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Train RNNsearch (Bahdanau, Cho & Bengio, 2014) to turn dates in every language that "
        "Unicode covers into ISO 8601, then show what it learned and where it attends."
    )
    parser.add_argument(
        "--languages", type=words, metavar="TAGS", help="such as en,fr,zh (default: all)"
    )
    parser.add_argument(
        "--seconds", type=positive, default=120.0, help="time to train (default: %(default)g)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/dates"),
        help="folder of the run; if it exists, a number is added (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, help="of weights and data (default: %(default)s)"
    )
