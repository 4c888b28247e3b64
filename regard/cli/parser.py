"""The command line's arguments, and the messages for mistyped ones."""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from itertools import pairwise
from math import nan
from pathlib import Path
from shlex import quote
from typing import Any, NoReturn

from regard._printable import shown
from regard.errors import UsageError
from regard.models import MODELS
from regard.run.recipes import names
from regard.tasks import TASKS

Command = Callable[[], int]

LONGEST = 200
"""Maximum characters of a word that are compared with known ones."""

MOST = 10**9
"""Largest number that an option takes."""

MOST_LAYERS = 10_000
"""Maximum number of layers in `--layers A-B`."""

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

ROLES = {
    "text": "texts; several columns, separated by commas, are joined",
    "label": "the target: a label, several, or a number",
    "left": "the first text of a pair",
    "right": "the second text of a pair",
    "context": "what a question is about: a passage or a story",
    "question": "questions",
    "answer": "their answers",
    "support": "the sentences that support the answers",
    "start": "where in the context the answers begin",
    "answers": "all right answers",
    "image": "images: their bytes, or the paths of their files",
    "masks": "masks of images, with a class for each pixel",
    "caption": "captions of images",
    "boxes": "bounding boxes of words in captions",
    "user": "the users",
    "item": "the items chosen",
    "rating": "the ratings",
    "time": "the timestamps",
    "category": "the categories of the items",
}
"""The options that name the columns of a table, and their contents."""

ASKED = (
    *("text", "left", "right", "context", "question", "image", "user", "item"),
    *("label", "answer"),
)
"""The roles of a trained network's inputs, and of the answers to compare with."""

PART_OPTIONS = {
    "score": "the score, such as additive",
    "score_mod": "the score modification, such as alibi",
    "mask": 'the mask, such as "causal & sliding_window(128)"',
    "normalizer": 'the normalizer, such as "entmax(1.5)"',
    "backend": "the backend, such as chunked",
}
"""The options of `regard bench` that name parts."""

RESUME = (
    "auto resumes a run with the same settings if there is one, never starts a new one, a folder "
    "resumes that run (default: auto)"
)


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


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train RNNsearch (Bahdanau, Cho & Bengio, 2014) to turn dates in every language that "
        "Unicode covers into ISO 8601, then show what it learned and where it attends."
    )
    parser.add_argument(
        "--languages", type=_list, metavar="TAGS", help="such as en,fr,zh (default: all)"
    )
    parser.add_argument(
        "--seconds", type=_positive, default=120.0, help="time to train (default: %(default)g)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/dates"),
        help="folder of the run; if it exists, a number is added (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=_natural, default=0, help="of weights and data (default: %(default)s)"
    )


def _predict(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a trained model, and see where it attended."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as runs/dates")
    texts = parser.add_argument(
        "texts",
        nargs="+",
        default=[],
        metavar="TEXT",
        help="a text, a file in any format that training reads, which is answered row by row, or "
        "- for standard input, as without any where that is no terminal; dates start with a "
        'language tag, as in "<fr> mardi 3 mars 2026", a pair has a tab between its sentences, a '
        "story ends with its question, and chosen items are separated by commas, quoted if they "
        "contain one; a text or line that is a JSON object with the run's columns "
        """or roles as keys, {"left": "...", "right": "..."}, is that row""",
    )
    # With `*` it would be empty where an option stands before the first text.
    texts.required = False
    _answers(parser, 1)
    parser.add_argument(
        "--show",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="draw the attention (default: for texts on the command line)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object per text instead")
    _files(parser.add_argument_group("files"))


def _view(parser: argparse.ArgumentParser) -> None:
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
        type=_layers,
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


def _serve(parser: argparse.ArgumentParser) -> None:
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
        "--port", type=_port, default=0, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--open", dest="opened", action="store_true", help="open it in a browser")


def _layers(text: str) -> list[int | str]:
    """`0-3,-1,decoder.*` as for `regard.capture`."""
    found: list[int | str] = []
    for each in _list(text):
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


def _files(files: argparse._ArgumentGroup) -> None:
    """How an input file is read, and where the answers are written."""
    files.add_argument(
        "--out",
        dest="writing:out",
        metavar="FILE",
        help="write all rows and columns with answer and probability (and answers, if there are "
        "several) in the format of FILE, .csv, .tsv, .jsonl or .parquet, or only the answers as "
        r".txt; in .tsv and .txt tabs and newlines are written \t and \n; - is standard output",
    )
    files.add_argument(
        "--force", dest="writing:force", action="store_true", help="overwrite FILE if it exists"
    )
    files.add_argument(
        "--compare",
        dest="reading:compare",
        action="store_true",
        help="report how many answers match the file's own column of labels",
    )
    files.add_argument(
        "--encoding",
        dest="reading:encoding",
        metavar="NAME",
        help="of text files and standard input (default: detected for files, utf-8 for input)",
    )
    files.add_argument(
        "--as-text",
        dest="reading:as_text",
        action="store_true",
        help="take TEXT literally, not as a file, and lines not as JSON objects",
    )
    _columns(files, ASKED)


def _columns(group: argparse._ArgumentGroup, roles: Iterable[str]) -> None:
    """The columns of a file that are not called as those of training were."""
    for role in ("source", "target", *roles):
        what = ROLES.get(role, f"column of the {role} texts or language")
        group.add_argument(f"--{role}", dest=f"columns:{role}", metavar="COLUMN", help=what)


def _answers(parser: argparse.ArgumentParser, usual: int) -> None:
    parser.add_argument(
        "--answers",
        "--beam",
        type=_positive_integer,
        default=usual,
        metavar="N",
        help="number of answers; for generated text, the beam size (default: %(default)s)",
    )


def _train(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train on your own data: a folder or a file (tsv, csv, jsonl, parquet, plain text, paired "
        "files such as train.en and train.de) or hf:owner/name. The format is detected and "
        "printed; --dry-run stops there."
    )
    add = parser.add_argument
    add("recipe", nargs="?", metavar="RECIPE", help=", ".join(names()) + "; or a path, as --data")
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        dest="paths",
        action="append",
        default=[],
        metavar="PATH",
        help="the training data; a pattern such as 'reviews/*.csv', or repeated, for several",
    )
    data.add_argument(
        "--task", dest="given:task.name", metavar="TASK", help=f"what to read it as: {_TASKS}"
    )
    data.add_argument(
        "--source",
        dest="given:data.source",
        metavar="COLUMN",
        help="the source language, or the first of two columns",
    )
    data.add_argument(
        "--target",
        dest="given:data.target",
        metavar="COLUMN",
        help="the target language, or the second of two columns",
    )
    for role, what in ROLES.items():
        data.add_argument(f"--{role}", dest=f"given:data.{role}", metavar="COLUMN", help=what)
    data.add_argument(
        "--encoding",
        dest="given:data.encoding",
        metavar="NAME",
        help="of text files, such as cp1252 (default: detected)",
    )
    data.add_argument(
        "--streaming",
        dest="given:data.streaming",
        action="store_true",
        default=None,
        help="read texts while training, for data larger than the disk",
    )
    data.add_argument("--dry-run", action="store_true", help="print how the data is read, and stop")
    model = parser.add_argument_group("model")
    model.add_argument("--model", dest="given:model.name", metavar="MODEL", help=_MODELS)
    model.add_argument(
        "--attention",
        dest="given:attention",
        metavar="NAME",
        help="a score such as additive or cosine(0.1), or the network's kind of attention",
    )
    model.add_argument(
        "--normalizer",
        dest="given:normalizer",
        metavar="NAME",
        help="such as sparsemax or entmax(1.3)",
    )
    model.add_argument(
        "--size",
        dest="given:size",
        metavar="SIZE",
        help="tiny, mini, small, medium, base or large: width, layers, heads, learning rate and "
        "budget of a Transformer together (default: the recipe's)",
    )
    train = parser.add_argument_group("training")
    budget = "%s (default: the recipe's budget)"
    number = train.add_argument
    number("--epochs", dest="given:train.epochs", metavar="N", type=_positive,
           help=budget % "passes through the data")  # fmt: skip
    number("--steps", dest="given:train.steps", metavar="N", type=_positive_integer,
           help=budget % "updates")  # fmt: skip
    number("--minutes", dest="given:minutes", metavar="N", type=_positive,
           help=budget % "wall time")  # fmt: skip
    number("--lr", dest="given:train.learning_rate", type=_positive, metavar="RATE",
           help="the peak learning rate (default: the recipe's)")  # fmt: skip
    number("--batch", dest="given:batch", type=_positive_integer, metavar="TOKENS",
           help="tokens per micro-batch, including padding (default: the recipe's)")  # fmt: skip
    number("--precision", dest="given:train.precision", choices=("fp32", "bf16"),
           help="bf16 is autocast, weights stay float32 (default: fp32)")  # fmt: skip
    number("--compile", dest="given:train.compile", action="store_true", default=None,
           help="run the loss through torch.compile (default: no)")  # fmt: skip
    number("--seed", dest="given:train.seed", metavar="N", type=_natural,
           help="of weights, order and everything random (default: 0)")  # fmt: skip
    train.add_argument(
        "--from",
        dest="given:train.start",
        metavar="DIR",
        help="start from the best weights of this run or model folder; a Hugging Face one is "
        "fine-tuned",
    )
    train.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="settings from a file (default: none)"
    )
    train.add_argument(
        "--set",
        dest="assignments",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any setting, such as dropout=0.2 or pooling=hard(estimator=gumbel); to list them: "
        "regard recipes keys NAME",
    )
    _run(parser.add_argument_group("the run"))


def _run(run: argparse._ArgumentGroup) -> None:
    """Where a run is saved, and on what hardware it runs."""
    run.add_argument("--out", type=Path, metavar="DIR", help="its folder (default: runs/NAME)")
    run.add_argument("--resume", default="auto", metavar="auto|DIR|never", help=RESUME)
    run.add_argument(
        "--data-as-trained",
        dest="machine:data_as_trained",
        action="store_true",
        help="resume with the copy of the data that the run started with, if the data has changed",
    )
    run.add_argument("--quiet", dest="machine:quiet", action="store_true", help="print only errors")
    run.add_argument(
        "--devices",
        dest="machine:devices",
        metavar="N",
        type=_positive_integer,
        default=1,
        help="processes (default: %(default)s)",
    )
    run.add_argument(
        "--shard",
        dest="machine:shard",
        action="store_true",
        help="shard the weights over the processes (FSDP2)",
    )
    run.add_argument(
        "--workers",
        dest="machine:workers",
        metavar="N",
        type=_natural,
        default=0,
        help="data-loading processes (default: 0)",
    )
    run.add_argument(
        "--threads",
        dest="machine:threads",
        metavar="N",
        type=_positive_integer,
        help="CPU threads of this process (default: PyTorch's choice)",
    )
    run.add_argument(
        "--timeout",
        dest="machine:timeout",
        metavar="SECONDS",
        type=_positive,
        default=60.0,
        help="seconds to wait for a lost process (default: %(default)g)",
    )


def _recipes(parser: argparse.ArgumentParser) -> None:
    parser.description = "List the recipes, print one or its settings, or copy one to change it."
    parser.add_argument(
        "action", choices=("ls", "cat", "keys", "cp"), help="list, print, list settings, or copy"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a recipe, a task or a model")
    parser.add_argument("to", nargs="?", type=Path, metavar="FILE", help="(default: NAME.toml)")


def _eval(parser: argparse.ArgumentParser) -> None:
    parser.description = "Measure a trained model on its test data, or on other data."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    data = parser.add_argument_group("other data")
    data.add_argument("--data", metavar="PATH", help="evaluate on all of this data instead")
    data.add_argument(
        "--encoding", metavar="NAME", help="of text files, such as cp1252 (default: detected)"
    )
    # `--answers` is a number here.
    _columns(data, [role for role in ROLES if role != "answers"])
    parser.add_argument(
        "--split", choices=("valid", "test"), help="(default: test if there is one)"
    )
    parser.add_argument("--metrics", type=_list, metavar="NAMES", help="such as bleu,chrf")
    _answers(parser, 4)
    parser.add_argument(
        "--worst",
        type=_natural,
        metavar="N",
        default=5,
        help="number of examples with the largest losses to show (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.description = "Put runs side by side: a table here, and one page."
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
    parser.add_argument(
        "--out", type=Path, default=Path("comparison.html"), help="(default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Export a trained network for other programs, from token ids to its answer, and compare "
        "the file's outputs with the network's. A .json file next to it describes the inputs and "
        "outputs."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--format",
        dest="form",
        choices=("onnx", "torch-export", "safetensors"),
        default="onnx",
        help="an ONNX file, a torch.export program, or a folder of weights and configuration "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="(default: in the folder export of the run)"
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the exported file and print the largest difference (default: --check)",
    )


def _convert(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make a folder of safetensors, which regard.load reads, of an old Hugging Face folder with "
        "pytorch_model.bin. A pickle can run programs: only names and tensors are read, by "
        "torch.load(weights_only=True), and a file that holds anything else is refused. Of a GGUF "
        "file the weights become float32, so that regard train --from can begin with them."
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the old folder, or a GGUF file")
    parser.add_argument("out", type=Path, metavar="OUT", help="the new one")
    parser.add_argument(
        "--family",
        metavar="NAME",
        help="such as bert, if config.json has no model_type (default: from the tensor names)",
    )


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measure speed, memory and accuracy of mechanisms on this machine, next to PyTorch's "
        "kernel or the definition and next to the machine's lower bound. Each is compared with "
        "float64 before it is timed; timings alternate."
    )
    parser.epilog = (
        "examples:\n"
        '  regard bench additive "entmax(1.5)" "causal & sliding_window(128)" --backward\n'
        '  regard bench "additive + causal" general --lengths 256,512 --chart bench.svg\n'
        "  regard bench --mask causal --backend sdpa --backend chunked\n"
        "  regard bench se cbam --lengths 3136"
    )
    parser.add_argument(
        "mechanisms",
        nargs="*",
        metavar="MECHANISM",
        help="names of parts joined by +, or a vision block; other parts are the defaults "
        "(default: six different mechanisms)",
    )
    for name, what in PART_OPTIONS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"parts:{name}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{what}; if repeated, every combination is measured",
        )
    sizes = parser.add_argument_group("sizes")
    sizes.add_argument(
        "--lengths",
        type=_lengths,
        default=[512, 1024, 2048],
        metavar="N,N",
        help="keys, and queries; for a block, the places of a square map (default: 512,1024,2048)",
    )
    for name, usual, what in (
        ("batch", 1, "sequences"),
        ("heads", 8, "query heads"),
        ("kv_heads", None, "key/value heads, a divisor of --heads (default: the same)"),
        ("queries", None, "queries of a call, 1 as in decoding (default: as many as keys)"),
        ("width", 64, "width of a head"),
    ):
        sizes.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"sizes:{name}",
            type=_positive_integer,
            default=usual,
            metavar="N",
            help=what if usual is None else f"{what} (default: {usual})",
        )
    sizes.add_argument(
        "--dtype",
        dest="sizes:dtype",
        default="float32",
        metavar="TYPE",
        help="float32, bfloat16, float16 or float64 (default: %(default)s)",
    )
    sizes.add_argument(
        "--device",
        dest="sizes:device",
        default="cpu",
        metavar="NAME",
        help="cpu or cuda (default: %(default)s)",
    )
    parser.add_argument(
        "--backward", action="store_true", help="measure forward and backward together, too"
    )
    parser.add_argument(
        "--threads", type=_positive_integer, metavar="N", help="(default: PyTorch's choice)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        help="time to measure; a call that would exceed it is skipped (default: 20, with --tune "
        "60)",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="measure this machine's rates for the operations that kernels consist of, and save "
        "them: from then on the planner uses these rates",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw them, such as bench.svg")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = "Say what this machine and installation can do, and what is missing."
    parser.add_argument("--json", action="store_true", help="one JSON object instead")


VERBS = {
    "demo": _demo,
    "train": _train,
    "predict": _predict,
    "view": _view,
    "serve": _serve,
    "eval": _eval,
    "compare": _compare,
    "export": _export,
    "convert": _convert,
    "recipes": _recipes,
    "bench": _bench,
    "doctor": _doctor,
}

_TASKS = ", ".join(TASKS)
_MODELS = ", ".join(MODELS)


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


def _list(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("give names with commas between, such as en,fr,zh")
    return list(dict.fromkeys(names))


def _lengths(text: str) -> list[int]:
    return list(dict.fromkeys(_positive_integer(each) for each in _list(text)))


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number <= MOST:
        raise argparse.ArgumentTypeError(
            f"give a number above 0 and at most {MOST:,}, got {shown(text)}"
        )
    return number


def _natural(text: str) -> int:
    return _whole(text, 0)


def _port(text: str) -> int:
    number = _whole(text, 0)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"give a port from 0 to 65535, got {shown(text)}")
    return number


def _positive_integer(text: str) -> int:
    return _whole(text, 1)


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


def _print_version() -> int:
    # The package itself is above the command line, and already imported.
    print(f"regard {sys.modules['regard'].__version__}")
    return 0
