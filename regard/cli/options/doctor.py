"""The options of `regard doctor`."""

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = "Say what this machine and installation can do, and what is missing."
    parser.add_argument("--json", action="store_true", help="one JSON object instead")
