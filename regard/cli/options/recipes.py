"""The options of `regard recipes`."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "List the recipes, print one or its settings, or copy one to change it."
    parser.add_argument(
        "action", choices=("ls", "cat", "keys", "cp"), help="list, print, list settings, or copy"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a recipe, a task or a model")
    parser.add_argument("to", nargs="?", type=Path, metavar="FILE", help="(default: NAME.toml)")
