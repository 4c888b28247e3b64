"""The options of `regard compare`."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "Put runs side by side: a table here, and one page."
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), help="(default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead")
