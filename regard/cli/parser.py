"""What may be typed, and what is said when it was mistyped."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from math import nan
from pathlib import Path
from typing import NoReturn

from regard.cli.mistake import Mistake

Command = Callable[[], int]

EXAMPLES = """\
examples:
  regard demo                                          learn to read dates in every language
  regard demo --languages en,fr,zh --seconds 30        fewer languages, less time
  regard predict runs/dates "<fr> mardi 3 mars 2026"   read a date, see where the model looked

verbs:
  demo      train a small network on dates, here and now, without a download
  predict   read texts with a trained model

`regard VERB --help` lists the options of a verb.
"""


def parse(arguments: Sequence[str]) -> Command:
    """The command that these arguments ask for, ready to be called; raises `Mistake`."""
    top = _Parser("regard")
    top.usage = "regard VERB [options]"
    top.description = "Attention, all of it: watch a network learn where to look."
    top.epilog = EXAMPLES
    top.add_argument("--version", action="store_true", help="print the version and leave")
    verb = arguments[0] if arguments else "--help"
    if verb in VERBS:
        return _parse_verb(verb, arguments[1:])
    if not verb.startswith("-"):
        raise Mistake(f"unknown verb {verb!r}{_nearest(verb, VERBS)}; see: regard --help")
    _, extra = top.parse_known_args([verb])
    _refuse(extra, top)
    return _print_version


def _parse_verb(verb: str, arguments: Sequence[str]) -> Command:
    parser = _Parser(f"regard {verb}")
    VERBS[verb](parser)
    options, extra = parser.parse_known_args(arguments)
    _refuse(extra, parser)
    # The verb's own module is imported only now, because it brings PyTorch along.
    return lambda: import_module(f"regard.cli.{verb}").run(**vars(options))


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train RNNsearch (Bahdanau, Cho & Bengio, 2014) to turn dates in every language that "
        "Unicode knows into ISO 8601, then show what it learned and where it looks."
    )
    parser.add_argument(
        "--languages", type=_list, metavar="TAGS", help="such as en,fr,zh; all of them if not given"
    )
    parser.add_argument(
        "--seconds", type=_positive, default=120.0, help="time to train (default: %(default)g)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/dates"),
        help="folder of the run; if it exists it is kept and a number is added (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--seed", type=_natural, default=0, help="of weights and data (default: %(default)s)"
    )


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.description = "Read texts with a trained model and draw where it looked."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as runs/dates")
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="TEXT",
        help='a language tag and a date, as in "<fr> mardi 3 mars 2026"',
    )
    parser.add_argument(
        "--beam",
        type=_positive_integer,
        default=1,
        help="number of parallel searches; above 1 their answers are listed (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per text instead")


VERBS = {"demo": _demo, "predict": _predict}


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing its usage and leaving."""

    def __init__(self, prog: str) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=prog, formatter_class=formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `Mistake` with the message."""
        raise Mistake(f"{message}; see: {self.prog} --help")


def _refuse(extra: Sequence[str], parser: argparse.ArgumentParser) -> None:
    if extra:
        known = [option for action in parser._actions for option in action.option_strings]
        name = extra[0].split("=")[0]
        what = "unknown option" if name.startswith("-") else "unexpected argument"
        raise Mistake(f"{what} {name!r}{_nearest(name, known)}; see: {parser.prog} --help")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, list(known), 3, 0.5)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _list(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("give language tags with commas between, such as en,fr,zh")
    return list(dict.fromkeys(names))


def _positive(text: str) -> float:
    number = _number(text)
    if not 0.1 <= number <= 1e9:
        raise argparse.ArgumentTypeError(f"give seconds such as 120, got {text!r}")
    return number


def _natural(text: str) -> int:
    return _whole(text, 0)


def _positive_integer(text: str) -> int:
    return _whole(text, 1)


def _whole(text: str, least: int) -> int:
    number = _number(text)
    if not (number.is_integer() and least <= number <= 1e9):
        raise argparse.ArgumentTypeError(f"give a whole number from {least}, got {text!r}")
    return int(number)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _print_version() -> int:
    # The package itself is above the command line, and already imported.
    print(f"regard {sys.modules['regard'].__version__}")
    return 0
