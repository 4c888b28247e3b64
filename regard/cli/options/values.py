"""Values of options: what a word on the command line may be."""

import argparse
from math import nan

from regard._printable import shown

LONGEST = 200
"""Maximum characters of a word that are looked at."""

MOST = 10**9
"""Largest number that an option takes."""

MOST_LAYERS = 10_000
"""Maximum number of layers in `--layers A-B`."""


def words(text: str) -> list[str]:
    """`en,fr,zh`, each once."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("give names with commas between, such as en,fr,zh")
    return list(dict.fromkeys(names))


def lengths(text: str) -> list[int]:
    """`512,1024`, each once."""
    return list(dict.fromkeys(positive_integer(each) for each in words(text)))


def layers(text: str) -> list[int | str]:
    """`0-3,-1,decoder.*` as for `regard.capture`."""
    found: list[int | str] = []
    for each in words(text):
        first, dash, last = each.partition("-") if each[:1].isdigit() else (each, "", "")
        if dash and first.isdecimal() and last.isdecimal():
            if int(last) < int(first):
                raise argparse.ArgumentTypeError(f"{each} ends before it begins")
            if int(last) - int(first) > MOST_LAYERS:
                raise argparse.ArgumentTypeError(f"{each} are more than {MOST_LAYERS:,} layers")
            found += range(int(first), int(last) + 1)
        else:
            is_number = each.removeprefix("-").isdecimal() and len(each) < 8
            found.append(int(each) if is_number else each)
    return found


def positive(text: str) -> float:
    """A number above 0."""
    number = _number(text)
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(
            f"give a number above 0 and at most {MOST:,}, got {shown(text)}"
        )
    return number


def natural(text: str) -> int:
    """A whole number from 0."""
    return _whole(text, 0)


def positive_integer(text: str) -> int:
    """A whole number from 1."""
    return _whole(text, 1)


def port(text: str) -> int:
    """A port of a computer; 0 is any."""
    number = _whole(text, 0)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"give a port from 0 to 65535, got {shown(text)}")
    return number


def _whole(text: str, least: int) -> int:
    number = _number(text)
    if not (number.is_integer() and least <= number <= MOST):
        most = f" to {MOST:,}" if number > MOST else ""
        raise argparse.ArgumentTypeError(
            f"give a whole number from {least}{most}, got {shown(text)}"
        )
    return int(number)


def _number(text: str) -> float:
    try:
        return float(text[:LONGEST])
    except ValueError:
        return nan
