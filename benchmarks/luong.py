"""Luong's variants, and the founding experiment: what does a sentence lose without attention?

English to German on Multi30k with the recipes `luong` and `rnnsearch`, one thread, cased
detokenized sacreBLEU of a beam search of 4 on `test_2016_flickr`. RNNsearch and its twin without
attention (one vector for the whole source, Cho et al. 2014) are also judged by the number of source
words, by greedy answers, which is drawn in `results/length.svg`. A row that is there already is not
made again, and a run that was stopped goes on, so the script can be run in pieces.

    python -m benchmarks.luong --data MULTI30K_FOLDER [--seeds 0,1,2] [--only general,blind]

References:
    Luong, Pham & Manning. Effective Approaches to Attention-based Neural Machine Translation.
    2015. https://arxiv.org/abs/1508.04025
    Cho, van Merriënboer, Bahdanau & Bengio. On the Properties of Neural Machine Translation:
    Encoder-Decoder Approaches. 2014. https://arxiv.org/abs/1409.1259
"""

import argparse
from html import escape
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.measure import RESULTS, rows_of, save
from benchmarks.runs import facts, finished_run
from regard import Run
from regard.tasks.translate.metrics import text_scores
from regard.view.charts import HEIGHT, WIDTH, chart
from regard.view.curves import Curve

VARIANTS = {
    "search": ("rnnsearch", "search"),
    "blind": ("rnnsearch", "none"),
    "none": ("luong", "none"),
    "dot": ("luong", "global(score=dot)"),
    "general": ("luong", "global(score=general)"),
    "general-unfed": ("luong", "global(score=general, input_feeding=False)"),
    "concat": ("luong", "global(score=luong_concat)"),
    "concat-official": ("luong", "global(score=luong_concat(variant=official))"),
    "location": ("luong", "global(score=location)"),
    "local-m": ("luong", "local_m"),
    "local-p": ("luong", "local_p"),
}
"""Name → recipe, and where its decoder looks."""

SMALL: dict[str, Any] = {"hidden_dim": 128, "tokens.size": 4000, "dropout": 0.2}
"""What makes three seeds of all variants a matter of two hours instead of a day."""

BY_LENGTH = {"search": "RNNsearch", "blind": "without attention"}
BINS = ((1, 5), (6, 10), (11, 15), (16, 20), (21, 999))
KEPT = ("loss", "perplexity", "bleu", "chrf", "bleu_lowercase")


def row(variant: str, seed: int, data: Path, out: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Train one variant with one seed, or find it trained, and judge it on the test pairs."""
    recipe, attention = VARIANTS[variant]
    folder = out / f"{variant}-{seed}"
    settings = {"recipe": recipe, "attention": attention, "seed": seed, **more}
    run = finished_run(data, folder, **settings)
    found = {
        "variant": variant,
        "seed": seed,
        "recipe": recipe,
        "settings": {"attention": attention},
        **facts(run),
        "steps": run.history[-1]["step"],
        "best_valid_bleu": run.metrics["valid"]["bleu"],
        **{f"test_{name}": run.metrics["test"][name] for name in KEPT},
    }
    return found | ({"by_length": by_length(run, data)} if variant in BY_LENGTH else {})


def by_length(run: Run, data: Path) -> list[dict[str, float]]:
    """BLEU of the test pairs whose source has so many words, for each bin of lengths."""
    sources, targets = (
        (data / f"test_2016_flickr.{side}").read_text("utf-8").splitlines() for side in ("en", "de")
    )
    answers = [answer.best for answer in run.predict(sources)]
    words = np.array([len(source.split()) for source in sources])
    bins = []
    for least, most in BINS:
        rows = np.flatnonzero((words >= least) & (words <= most))
        if len(rows):
            scores = text_scores([answers[r] for r in rows], [targets[r] for r in rows])
            about = {"words": float(words[rows].mean()), "pairs": len(rows), "least": least}
            bins.append(about | {"bleu": scores["bleu"], "chrf": scores["chrf"]})
    return bins


def drawn(rows: list[dict[str, Any]]) -> str | None:
    """The chart of BLEU by length, each point the mean over the seeds, as a file of its own."""
    curves = []
    for number, (variant, name) in enumerate(BY_LENGTH.items()):
        runs = [row["by_length"] for row in rows if row["variant"] == variant]
        if runs:
            bins = zip(*runs, strict=True)
            points = [(one[0]["words"], mean(b["bleu"] for b in one)) for one in bins]
            curves.append(Curve(name, points, number, marked=True))
    if not curves:
        return None
    figure = chart("BLEU", curves, across="words of the source")
    inner = figure[figure.index("<svg") : figure.index("</svg>")]
    shapes = inner[inner.index(">") + 1 :]
    names = "".join(
        f'<path class="line s{c.style}" d="M70 {HEIGHT + 16 * n + 12:g}h28"/>'
        f'<text class="tick" x="106" y="{HEIGHT + 16 * n + 16:g}">{escape(c.name)}</text>'
        for n, c in enumerate(curves)
    )
    tall = HEIGHT + 16 * len(curves) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {tall:g}" '
        f'font-family="sans-serif"><title>BLEU by the length of the source</title>'
        f"{shapes}{names}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default=",".join(VARIANTS), help="names of variants")
    parser.add_argument("--epochs", type=float, help="instead of the recipe's")
    parser.add_argument("--steps", type=int, help="instead of epochs, to try the script")
    parser.add_argument("--small", action="store_true", help="networks of half the width")
    parser.add_argument("--out", type=Path, default=Path("runs/luong"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("luong")
    budget = {name: getattr(options, name) for name in ("epochs", "steps")}
    more = {**budget, **(SMALL if options.small else {})}
    wanted = [name for name in VARIANTS if name in options.only.split(",")]
    for seed in map(int, options.seeds.split(",")):
        for variant in wanted:
            if any((row["variant"], row["seed"]) == (variant, seed) for row in rows):
                continue
            rows.append(row(variant, seed, options.data, options.out, more))
            print({k: v for k, v in rows[-1].items() if k != "by_length"}, flush=True)
            print(save("luong", rows))
            if chart_of := drawn(rows):
                (RESULTS / "length.svg").write_text(chart_of, "utf-8")


if __name__ == "__main__":
    main()
