"""The command line's arguments, and the messages for mistyped ones."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

from regard._printable import shown
from regard.cli.options import VERBS
from regard.cli.options.values import LONGEST
from regard.errors import UsageError

Command = Callable[[], int]

EXAMPLES = """\
examples:
  regard demo                                          learn to read dates in every language
  regard train --data pairs.tsv                        learn to translate from your own pairs
  regard train rnnsearch --data corpus/ --normalizer sparsemax
  regard train --data novel.txt --steps 2000
  regard train memory --set hops=2                     answer questions, on synthetic data
  regard predict runs/pairs "A man rides a bicycle." --answers 4
  regard view runs/pairs "A man rides a bicycle."      the attention of every layer, as a page
  regard eval runs/pairs --worst 10                    metrics, and where it is wrong
  regard compare runs/pairs runs/corpus-rnnsearch      two runs side by side
  regard export runs/pairs --format onnx               for programs that are not regard
  regard convert old-bert/ bert/                       pickles, or a GGUF file, as safetensors
  regard bench additive "entmax(1.5)" --lengths 1024   how fast, how exact, how much memory

verbs:
  demo      train a small network on dates, right away, without a download
  train     train on your own data: translate, classify, regress, match, answer, recommend, continue
  predict   run a trained model, and see where it attended
  view      write a page with the attention of every layer on one input
  serve     query a network on a local page, and ablate its heads
  eval      evaluate a trained model
  compare   put runs side by side, as a table and a page
  export    write a trained network as ONNX, as a PyTorch program, or its weights
  convert   make safetensors of an old model folder of pickles, or of a GGUF file
  recipes   list the settings known to work, print or copy them
  bench     measure speed, memory and error of mechanisms on this machine
  doctor    report what this machine and installation can do

`regard VERB --help` lists the options of a verb.
"""


def command_of(arguments: Sequence[str]) -> Command:
    """The command for these arguments, ready to be called; raises `UsageError`."""
    top = _Parser("regard")
    top.usage = "regard VERB [options]"
    top.description = (
        "Attention, all of it: train a network on your data, and see what it attends to."
    )
    top.epilog = EXAMPLES
    top.add_argument("--version", action="store_true", help="print the version and exit")
    verb = arguments[0] if arguments else "--help"
    if verb in VERBS:
        return _parse_verb(verb, arguments[1:])
    if not verb.startswith("-"):
        raise UsageError(f"unknown verb {shown(verb)}{_nearest(verb, VERBS)}; see: regard --help")
    _, extra = top.parse_known_args([verb])
    _refuse(extra, top)
    return _print_version


def _parse_verb(verb: str, arguments: Sequence[str]) -> Command:
    parser = _Parser(f"regard {verb}")
    VERBS[verb](parser)
    options, extra = parser.parse_known_args(arguments)
    _refuse(extra, parser)
    # The verb's own module is imported only now, because it brings PyTorch along.
    found = _arguments(options)
    module = "dry_run" if found.pop("dry_run", False) else verb
    return lambda: import_module(f"regard.cli.{module}").run(**found)


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The options as a verb takes them; those named `TABLE:NAME` in a table."""
    found: dict[str, Any] = {}
    for name, value in vars(options).items():
        table, dot, key = name.partition(":")
        if not dot:
            found[name] = value
            continue
        held = found.setdefault(table, {})
        if value is not None or table != "given":
            held[key] = value
    return found


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing its usage and exiting."""

    def __init__(self, prog: str) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=prog, formatter_class=formatter, allow_abbrev=False)

        self._given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As its base class; the words are remembered for what an error says of them."""
        self._given = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with the message."""
        raise UsageError(f"{self._without_value(message)}; see: {self.prog} --help")

    def _without_value(self, message: str) -> str:
        """The message, and where it is of a value that looks like an option, how to write that."""
        named = re.fullmatch(r"argument (\S+): expected (?:one|at least one) argument", message)
        options = named[1].split("/") if named else []
        for option, value in pairwise(self._given):
            if option in options and value.startswith("-"):
                if value.partition("=")[0] in self._option_string_actions:
                    return f"{option} needs a value before {value}"
                written = quote(f"{option}={value}")
                return f"{option} needs a value; if {shown(value)} is it, write {written}"
        return message


def _refuse(extra: Sequence[str], parser: argparse.ArgumentParser) -> None:
    if extra:
        known = [option for action in parser._actions for option in action.option_strings]
        name = extra[0].split("=")[0]
        if name in known:
            raise UsageError(f"what stands behind -- is no option; write {name} before it")
        what = "unknown option" if name.startswith("-") else "unexpected argument"
        if "--data" in known and Path(name[:LONGEST]).exists():
            raise UsageError(
                f"{what} {shown(name)}; several files are one pattern in quotes, such as "
                "'reviews/*.csv', or follow --data each"
            )
        raise UsageError(f"{what} {shown(name)}{_nearest(name, known)}; see: {parser.prog} --help")


def _nearest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word[:LONGEST], list(known), 3, 0.5)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _print_version() -> int:
    # The package itself is above the command line, and already imported.
    print(f"regard {sys.modules['regard'].__version__}")
    return 0
