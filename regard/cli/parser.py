"""What may be typed, and what is said when it was mistyped."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from importlib import import_module
from math import nan
from pathlib import Path
from typing import Any, NoReturn

from regard._printable import shown
from regard.errors import UsageError
from regard.models import MODELS
from regard.run.recipes import names
from regard.tasks import TASKS

Command = Callable[[], int]

LONGEST = 200
"""Characters of a word that are compared with those there are."""

MOST_LAYERS = 10_000
"""Layers that `--layers A-B` may name."""

EXAMPLES = """\
examples:
  regard demo                                          learn to read dates in every language
  regard train --data pairs.tsv                        learn to translate from your own pairs
  regard train rnnsearch --data corpus/ --normalizer sparsemax
  regard train --data novel.txt --steps 2000
  regard train memory --set hops=2                     answer questions; brings its own data
  regard predict runs/pairs "A man rides a bicycle." --answers 4
  regard view runs/pairs "A man rides a bicycle."      the attention of every layer, as a page
  regard eval runs/pairs --worst 10                    metrics, and where it is wrong
  regard compare runs/pairs runs/corpus-rnnsearch      two runs side by side
  regard export runs/pairs --format onnx               for programs that are not regard
  regard convert old-bert/ bert/                       pickles, or a GGUF file, as safetensors
  regard bench additive "entmax(1.5)" --lengths 1024   how fast, how exact, how much memory

verbs:
  demo      train a small network on dates, here and now, without a download
  train     train on your own data: translate, classify, regress, match, answer, recommend, continue
  predict   ask a trained model, and see where it attended
  view      write a page with the attention of every layer on one input
  serve     ask a network on a page of this machine, and take heads out of it
  eval      measure a trained model
  compare   put runs side by side, as a table and a page
  export    write a trained network as ONNX, as a PyTorch program, or its weights
  convert   make safetensors of an old model folder of pickles, or of a GGUF file
  recipes   list the settings known to work, print or copy them
  bench     measure speed, memory and error of mechanisms on this machine
  doctor    say what this machine and installation can do

`regard VERB --help` lists the options of a verb.
"""

ROLES = {
    "text": "texts; several columns with commas between are joined",
    "label": "what is to be learned: a label, several, or a number",
    "left": "the first text of a pair",
    "right": "the second text of a pair",
    "context": "what a question is about: a passage or a story",
    "question": "questions",
    "answer": "their answers",
    "support": "the sentences that support the answers",
    "start": "where in the context the answers begin",
    "answers": "all right answers",
    "image": "pictures: their bytes, or the paths of their files",
    "masks": "masks of pictures, with a class for each pixel",
    "caption": "what is said of pictures",
    "boxes": "where the things are that words of captions name",
    "user": "who chose",
    "item": "what was chosen",
    "rating": "how it was liked",
    "time": "when",
    "category": "what kind of item it is",
}
"""The options that name the columns of a table, and what these hold."""

ASKED = (
    *("text", "left", "right", "context", "question", "image", "user", "item"),
    *("label", "answer"),
)
"""Those of what a trained network is asked, and of what its answers are compared with."""

PART_OPTIONS = {
    "score": "how alike query and key are, such as additive",
    "score_mod": "what changes a score, such as alibi",
    "mask": 'which keys are seen, such as "causal & sliding_window(128)"',
    "normalizer": 'scores to weights, such as "entmax(1.5)"',
    "backend": "which kernel, such as chunked",
}
"""The options of `regard bench` that name parts."""

RESUME = (
    "auto resumes a run of the same settings if there is one, never makes a new one, a folder "
    "resumes that run (default: auto)"
)


def command_of(arguments: Sequence[str]) -> Command:
    """The command that these arguments ask for, ready to be called; raises `UsageError`."""
    top = _Parser("regard")
    top.usage = "regard VERB [options]"
    top.description = (
        "Attention, all of it: train a network on your data, and see what it attends to."
    )
    top.epilog = EXAMPLES
    top.add_argument("--version", action="store_true", help="print the version and leave")
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
    """The options as a verb takes them; those called `TABLE:NAME` in a table."""
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
    parser.description = "Ask a trained model, and see where it attended."
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run, such as runs/dates")
    parser.add_argument(
        "texts",
        nargs="+",
        metavar="TEXT",
        help="a text, a file of any format that is trained on, whose rows are answered line for "
        "line, or - for standard input; dates begin with a "
        'language tag, as in "<fr> mardi 3 mars 2026", a pair has a tab between its sentences, a '
        "story ends in its question, and items that were chosen have commas between them, those "
        "with a comma quotes around; a text or line that is a JSON object with the run's columns "
        """or roles as keys, {"left": "...", "right": "..."}, is that row""",
    )
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
        "given", metavar="TEXT", help="a text as `regard predict` takes it, or a picture's path"
    )
    parser.add_argument(
        "--layers",
        type=_layers,
        metavar="LAYERS",
        help='which attentions, such as 0-3, -1 for the last, or names with * ("decoder.*"); all',
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("attention.html"),
        metavar="FILE",
        help="the page (default: attention.html)",
    )
    parser.add_argument(
        "--lang", choices=("en", "zh"), default="", help="the page's language; the browser's"
    )
    parser.add_argument("--open", dest="opened", action="store_true", help="open it in a browser")


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Serve a network on this machine: type texts or drop pictures on its page, see what it "
        "attends to, and take heads out of it. The page's address ends in a secret."
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
        help="another address of this machine, for who may reach it (default: %(default)s, this "
        "machine alone)",
    )
    parser.add_argument(
        "--port", type=_port, default=0, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--open", dest="opened", action="store_true", help="open it in a browser")


def _layers(text: str) -> list[int | str]:
    """`0-3,-1,decoder.*` as what `regard.capture` takes."""
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
    """How a file of what is asked is read, and where the answers are written."""
    files.add_argument(
        "--out",
        dest="writing:out",
        metavar="FILE",
        help="write all rows and columns with answer and probability (and answers, where there "
        "are several) as FILE says, .csv, .tsv, .jsonl or .parquet, or the answers alone as .txt; "
        r"in .tsv and .txt tabs and ends of lines are written \t and \n; - is standard output",
    )
    files.add_argument(
        "--force", dest="writing:force", action="store_true", help="write over FILE if it is there"
    )
    files.add_argument(
        "--compare",
        dest="reading:compare",
        action="store_true",
        help="say how many answers are those that the file's own column of labels has",
    )
    files.add_argument(
        "--encoding",
        dest="reading:encoding",
        metavar="NAME",
        help="of text files and of standard input (default: found by the bytes, utf-8)",
    )
    files.add_argument(
        "--as-text",
        dest="reading:as_text",
        action="store_true",
        help="TEXT is what it is, no file, and a line no JSON object",
    )
    for role in ("source", "target", *ASKED):
        what = ROLES.get(role, f"column of the {role} texts or language")
        files.add_argument(f"--{role}", dest=f"columns:{role}", metavar="COLUMN", help=what)


def _answers(parser: argparse.ArgumentParser, usual: int) -> None:
    parser.add_argument(
        "--answers",
        "--beam",
        type=_positive_integer,
        default=usual,
        metavar="N",
        help="answers to look for; of a text that is written, the width of the beam search "
        "(default: %(default)s)",
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
        help="what to learn from; a pattern such as 'reviews/*.csv', or given again, for several",
    )
    data.add_argument(
        "--task", dest="given:task.name", metavar="TASK", help=f"what to read it as: {_TASKS}"
    )
    data.add_argument(
        "--source",
        dest="given:data.source",
        metavar="COLUMN",
        help="language that is read, or the first of two columns",
    )
    data.add_argument(
        "--target",
        dest="given:data.target",
        metavar="COLUMN",
        help="language that is written, or the second of two columns",
    )
    for role, what in ROLES.items():
        data.add_argument(f"--{role}", dest=f"given:data.{role}", metavar="COLUMN", help=what)
    data.add_argument(
        "--encoding",
        dest="given:data.encoding",
        metavar="NAME",
        help="of text files, such as cp1252 (default: found by their bytes)",
    )
    data.add_argument(
        "--streaming",
        dest="given:data.streaming",
        action="store_true",
        default=None,
        help="read texts while training, for data larger than the disk",
    )
    data.add_argument("--dry-run", action="store_true", help="say how the data is read, and stop")
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
        help="tiny, mini, small, medium, base or large: width, layers, heads, rate and budget of a "
        "Transformer together (default: the recipe's)",
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
           help="the greatest learning rate (default: the recipe's)")  # fmt: skip
    number("--batch", dest="given:batch", type=_positive_integer, metavar="TOKENS",
           help="tokens of a micro-batch, padding included (default: the recipe's)")  # fmt: skip
    number("--precision", dest="given:train.precision", choices=("fp32", "bf16"),
           help="bf16 is autocast, weights stay float32 (default: fp32)")  # fmt: skip
    number("--compile", dest="given:train.compile", action="store_true", default=None,
           help="run the loss through torch.compile (default: no)")  # fmt: skip
    number("--seed", dest="given:train.seed", metavar="N", type=_natural,
           help="of weights, order and all that is drawn (default: 0)")  # fmt: skip
    train.add_argument(
        "--from",
        dest="given:train.start",
        metavar="DIR",
        help="begin with the best weights of this run, or of the folder of a model; one of Hugging "
        "Face is fine-tuned",
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
        help="any setting, such as dropout=0.2 or pooling=hard(estimator=gumbel); all of them: "
        "regard recipes keys NAME",
    )
    _run(parser.add_argument_group("the run"))


def _run(run: argparse._ArgumentGroup) -> None:
    """Where a run is kept, and on what it is made."""
    run.add_argument("--out", type=Path, metavar="DIR", help="its folder (default: runs/NAME)")
    run.add_argument("--resume", default="auto", metavar="auto|DIR|never", help=RESUME)
    run.add_argument(
        "--data-as-trained",
        dest="machine:data_as_trained",
        action="store_true",
        help="resume with the copy of the data that the run began with, if the data has changed",
    )
    run.add_argument(
        "--quiet", dest="machine:quiet", action="store_true", help="say nothing but what is wrong"
    )
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
        help="spread the weights over the processes (FSDP2)",
    )
    run.add_argument(
        "--workers",
        dest="machine:workers",
        metavar="N",
        type=_natural,
        default=0,
        help="processes that prepare batches (default: 0)",
    )
    run.add_argument(
        "--threads",
        dest="machine:threads",
        metavar="N",
        type=_positive_integer,
        help="of this process (default: as PyTorch chooses)",
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
    parser.add_argument("--data", metavar="PATH", help="other data, all of it")
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
        help="examples with the greatest losses to show (default: %(default)s)",
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
        "Write a trained network for other programs, from token numbers to its answer, and compare "
        "what the file answers with what the network does. Beside it stands a .json file that says "
        "what goes in and what comes out."
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--format",
        dest="form",
        choices=("onnx", "torch-export", "safetensors"),
        default="onnx",
        help="an ONNX file, a program of torch.export, or the folder of weights and configuration "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="(default: in the folder export of the run)"
    )
    parser.add_argument(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run what was written and print the greatest difference (default: --check)",
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
        help="such as bert, where config.json has no model_type (default: by the tensors' names)",
    )


def _bench(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Measure how fast mechanisms are on this machine, how much memory they hold and how exact "
        "they are, beside PyTorch's kernel or the definition and beside what the machine can do at "
        "most. Each is compared with float64 before it is timed; all take turns."
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
        help="parts by name with + between them, or a vision block; what is not named is as usual "
        "(default: six that differ)",
    )
    for name, what in PART_OPTIONS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"parts:{name}",
            action="append",
            default=[],
            metavar="NAME",
            help=f"{what}; given again, every combination is measured",
        )
    sizes = parser.add_argument_group("sizes")
    sizes.add_argument(
        "--lengths",
        type=_lengths,
        default=[512, 1024, 2048],
        metavar="N,N",
        help="keys, and queries as many; a block sees the square map of as many places (default: "
        "512,1024,2048)",
    )
    for name, usual, what in (
        ("batch", 1, "sequences"),
        ("heads", 8, "of queries"),
        ("kv_heads", None, "of keys and values, a divisor of --heads (default: as many)"),
        ("queries", None, "of a call, 1 as in decoding (default: as many as keys)"),
        ("width", 64, "of a head"),
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
        "--threads", type=_positive_integer, metavar="N", help="(default: as PyTorch chooses)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        help="time to measure; a call that would use it up is left out (default: 20, with --tune "
        "60)",
    )
    parser.add_argument(
        "--tune",
        action="store_true",
        help="measure how fast this machine is at what kernels are made of, and keep it: from then "
        "on the planner chooses by these rates",
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
    """An argument parser that raises instead of printing its usage and leaving."""

    def __init__(self, prog: str) -> None:
        formatter = argparse.RawDescriptionHelpFormatter
        super().__init__(prog=prog, formatter_class=formatter, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` with the message."""
        raise UsageError(f"{message}; see: {self.prog} --help")


def _refuse(extra: Sequence[str], parser: argparse.ArgumentParser) -> None:
    if extra:
        known = [option for action in parser._actions for option in action.option_strings]
        name = extra[0].split("=")[0]
        what = "unknown option" if name.startswith("-") else "unexpected argument"
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
    if not 0 < number <= 1e9:
        raise argparse.ArgumentTypeError(f"give a number such as 120, got {shown(text)}")
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
    if not (number.is_integer() and least <= number <= 1e9):
        raise argparse.ArgumentTypeError(f"give a whole number from {least}, got {shown(text)}")
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
