"""How many answers a network gives."""

import argparse

from regard.cli.options.values import positive_integer


def add_answers(parser: argparse.ArgumentParser, usual: int) -> None:
    """How many answers are given to an input.

    Args:
        usual: as many as without the option.
    """
    parser.add_argument(
        "--answers",
        "--beam",
        type=positive_integer,
        default=usual,
        metavar="N",
        help="number of answers; for generated text, the beam size (default: %(default)s)",
    )
