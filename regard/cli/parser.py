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
  regard train --data pairs.tsv                        learn to translate from your own pairs
  regard train rnnsearch --data corpus/ --normalizer sparsemax
  regard train characters --data novel.txt --steps 2000
  regard train stories --set hops=2                    answer questions; brings its own data
  regard predict runs/pairs "A man rides a bicycle." --beam 4 --show
  regard eval runs/pairs --json                        metrics on the test data
  regard compare runs/pairs runs/corpus-rnnsearch      two runs side by side

verbs:
  demo      train a small network on dates, here and now, without a download
  train     train on your own data: translate, classify, match, answer, recommend, go on
  predict   ask a trained model, and see where it looked
  eval      measure a trained model
  compare   put runs side by side, as a table and a page
  doctor    say what this machine and installation can do

`regard VERB --help` lists the options of a verb.
"""

RESUME = (
    "auto goes on with a run of the same settings if there is one, never makes a new one, a folder "
    "goes on with that run (default: auto)"
)


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
    return lambda: import_module(f"regard.cli.{verb}").run(**_arguments(options))


def _arguments(options: argparse.Namespace) -> dict[str, object]:
    """The options as a verb takes them; those of settings, with a dot in their name, as a table."""
    plain = {name: value for name, value in vars(options).items() if "." not in name}
    dotted = [name for name in vars(options) if "." in name]
    if dotted:
        given: dict[str, dict[str, object]] = {}
        for name in dotted:
            section, key = name.split(".")
            if (value := getattr(options, name)) is not None:
                given.setdefault(section, {})[key] = value
        plain["given"] = given
    return plain


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
    parser.description = "Ask a trained model, and see where it looked."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as runs/dates")
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="TEXT",
        help="a text, a file with one on each line, or - for standard input; dates begin with a "
        'language tag, as in "<fr> mardi 3 mars 2026", a pair has a tab between its sentences, a '
        "story ends in its question, and items that were chosen have commas between them",
    )
    parser.add_argument(
        "--beam",
        type=_positive_integer,
        default=1,
        help="number of parallel searches; above 1 their answers are listed (default: %(default)s)",
    )
    parser.add_argument(
        "--show",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw where the model looked (default: for texts on the command line)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per text instead")


def _train(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train on your own data: a folder or a file (tsv, csv, jsonl, parquet, plain text, paired "
        "files such as train.en and train.de) or hf:owner/name. How it is read is inferred and "
        "said; --dry-run stops there."
    )
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help=", ".join(_RECIPES))
    data = parser.add_argument_group("data")
    data.add_argument("--data", dest="data.path", metavar="PATH", help="what to learn from")
    data.add_argument("--task", dest="data.task", choices=_TASKS, help="what to read it as")
    data.add_argument("--source", dest="data.source", help="language or column that is read")
    data.add_argument("--target", dest="data.target", help="language or column that is answered")
    data.add_argument("--encoding", dest="data.encoding", help="of text files (default: utf-8)")
    data.add_argument(
        "--streaming",
        dest="data.streaming",
        action="store_true",
        default=None,
        help="read texts while training, for data larger than the disk",
    )
    data.add_argument("--dry-run", action="store_true", help="say how the data is read, and stop")
    model = parser.add_argument_group("model")
    model.add_argument("--model", dest="model.name", choices=_MODELS)
    model.add_argument("--attention", dest="model.score", metavar="SCORE", help="such as additive")
    model.add_argument("--normalizer", dest="model.normalizer", help="such as sparsemax")
    train = parser.add_argument_group("training")
    train.add_argument("--epochs", dest="train.epochs", type=_positive)
    train.add_argument("--steps", dest="train.steps", type=_positive_integer)
    train.add_argument("--minutes", dest="train.minutes", type=_positive)
    train.add_argument("--lr", dest="train.learning_rate", type=_positive, metavar="RATE")
    train.add_argument(
        "--batch", dest="data.batch_tokens", type=_positive_integer, metavar="TOKENS"
    )
    train.add_argument("--precision", dest="train.precision", choices=("fp32", "bf16"))
    train.add_argument("--compile", dest="train.compile", action="store_true", default=None)
    train.add_argument("--seed", dest="train.seed", type=_natural)
    train.add_argument("--config", type=Path, metavar="FILE.toml", help="settings from a file")
    train.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="one more",
    )
    _run(parser.add_argument_group("the run"))


def _run(run: argparse._ArgumentGroup) -> None:
    """Where a run is kept, and on what it is made."""
    run.add_argument("--out", type=Path, metavar="DIR", help="its folder (default: runs/NAME)")
    run.add_argument("--resume", default="auto", metavar="auto|DIR|never", help=RESUME)
    run.add_argument(
        "--devices", type=_positive_integer, default=1, help="processes (default: %(default)s)"
    )
    run.add_argument(
        "--shard", action="store_true", help="spread the weights over the processes (FSDP2)"
    )
    run.add_argument(
        "--workers", type=_natural, default=0, help="processes that prepare batches (default: 0)"
    )
    run.add_argument("--threads", type=_positive_integer, help="of this process")
    run.add_argument(
        "--timeout", type=_positive, default=60.0, help="seconds to wait for a lost process"
    )


def _eval(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measure a trained model on its test data, or on other data."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--data", metavar="PATH", help="other data, all of it")
    parser.add_argument(
        "--split", choices=("valid", "test"), help="(default: test if there is one)"
    )
    parser.add_argument("--metrics", type=_list, metavar="NAMES", help="such as bleu,chrf")
    parser.add_argument("--beam", type=_positive_integer, default=4, help="(default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.description = "Put runs side by side: a table here, and one page."
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), help="(default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say what this machine and installation can do, and what is missing."
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


VERBS = {
    "demo": _demo,
    "train": _train,
    "predict": _predict,
    "eval": _eval,
    "compare": _compare,
    "doctor": _doctor,
}

_RECIPES = (
    "translate",
    "rnnsearch",
    "luong",
    "classify",
    "lstm",
    "cnn",
    "han",
    "match",
    "stories",
    "din",
    "youtube_dnn",
    "characters",
    "dates",
)
_TASKS = ("translate", "classify", "match", "answer", "recommend", "language_model", "dates")
_MODELS = (
    "transformer",
    "rnnsearch",
    "luong",
    "lstm",
    "cnn",
    "han",
    "abcnn",
    "memory",
    "din",
    "youtube_dnn",
)


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
        raise argparse.ArgumentTypeError("give names with commas between, such as en,fr,zh")
    return list(dict.fromkeys(names))


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number <= 1e9:
        raise argparse.ArgumentTypeError(f"give a number such as 120, got {text!r}")
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
