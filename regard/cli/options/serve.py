"""The options of `regard serve`."""

import argparse

from regard.cli.options.values import port


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Serve a network on this machine: type texts or drop images on its page, see what it "
        "attends to, and ablate its heads. The page's address ends in a secret."
    )
    parser.epilog = "example:\n  regard serve runs/pairs --port 8000 --open"
    parser.add_argument(
        "path",
        metavar="RUN",
        help="folder of a run or a model, one of Hugging Face's, hf:owner/name, or a .gguf file",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, reachable from this machine only)",
    )
    parser.add_argument(
        "--port", type=port, default=0, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--open", dest="opened", action="store_true", help="open it in a browser")
