"""The options of `regard train`."""

import argparse
from pathlib import Path

from regard.cli.options.columns import ROLES
from regard.cli.options.values import natural, positive, positive_integer
from regard.models import MODELS
from regard.run.recipes import names
from regard.tasks import TASKS

RESUME = (
    "auto resumes a run with the same settings if there is one, never starts a new one, a folder "
    "resumes that run (default: auto)"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the verb does, and add its options."""
    parser.description = (
        "Train on your own data: a folder or a file (tsv, csv, jsonl, parquet, plain text, paired "
        "files such as train.en and train.de) or hf:owner/name. The format is detected and "
        "printed; --dry-run stops there."
    )
    parser.add_argument(
        "recipe", nargs="?", metavar="RECIPE", help=", ".join(names()) + "; or a path, as --data"
    )
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
        "--task",
        dest="given:task.name",
        metavar="TASK",
        help="what to read it as: " + ", ".join(TASKS),
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
    model.add_argument("--model", dest="given:model.name", metavar="MODEL", help=", ".join(MODELS))
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
    add = train.add_argument
    add("--epochs", dest="given:train.epochs", metavar="N", type=positive,
           help=budget % "passes through the data")  # fmt: skip
    add("--steps", dest="given:train.steps", metavar="N", type=positive_integer,
           help=budget % "updates")  # fmt: skip
    add("--minutes", dest="given:minutes", metavar="N", type=positive,
           help=budget % "wall time")  # fmt: skip
    add("--lr", dest="given:train.learning_rate", type=positive, metavar="RATE",
           help="the peak learning rate (default: the recipe's)")  # fmt: skip
    add("--batch", dest="given:batch", type=positive_integer, metavar="TOKENS",
           help="tokens per micro-batch, including padding (default: the recipe's)")  # fmt: skip
    add("--precision", dest="given:train.precision", choices=("fp32", "bf16"),
           help="bf16 is autocast, weights stay float32 (default: fp32)")  # fmt: skip
    add("--compile", dest="given:train.compile", action="store_true", default=None,
           help="run the loss through torch.compile (default: no)")  # fmt: skip
    add("--seed", dest="given:train.seed", metavar="N", type=natural,
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
        type=positive_integer,
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
        type=natural,
        default=0,
        help="data-loading processes (default: 0)",
    )
    run.add_argument(
        "--threads",
        dest="machine:threads",
        metavar="N",
        type=positive_integer,
        help="CPU threads of this process (default: PyTorch's choice)",
    )
    run.add_argument(
        "--timeout",
        dest="machine:timeout",
        metavar="SECONDS",
        type=positive,
        default=60.0,
        help="seconds to wait for a lost process (default: %(default)g)",
    )
