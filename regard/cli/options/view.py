"""The options of `regard view`."""

import argparse
from pathlib import Path

from regard.cli.options.values import layers


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "Write a page with the attention of every layer while a network answers."
    parser.add_argument(
        "path",
        metavar="RUN",
        help="folder of a run or a model, one of Hugging Face's, hf:owner/name, or a .gguf file",
    )
    parser.add_argument(
        "given", metavar="TEXT", help="a text as for `regard predict`, or the path of an image"
    )
    parser.add_argument(
        "--layers",
        type=layers,
        metavar="LAYERS",
        help='such as 0-3, -1 for the last, or names with * ("decoder.*") (default: all)',
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("attention.html"),
        metavar="FILE",
        help="the page (default: attention.html)",
    )
    parser.add_argument(
        "--lang",
        choices=("en", "zh"),
        default="",
        help="language of the page (default: the browser's)",
    )
    parser.add_argument("--open", dest="opened", action="store_true", help="open it in a browser")
