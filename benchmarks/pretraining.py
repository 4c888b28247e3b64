"""Does the loss of pre-training go down as it should? And what does a small T5 make of docstrings?

    python -m benchmarks.pretraining --data TINYSHAKESPEARE.TXT [--kinds masked_lm,summarize]

Runs go on where they were stopped; the loss of span corruption is drawn in
`results/pretraining_t5.svg`. What summarizes is compared with the lead: the first sentence of what
is read, and its first words, as many as a summary has on average.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measure import RESULTS, rows_of, save
from benchmarks.runs import assignments, curve, facts, finished_run
from regard.data.synthetic.data_sets import DATA
from regard.tasks.text_to_text import TextToText, rouge
from regard.view.charts import HEIGHT, WIDTH, chart
from regard.view.curves import Curve

SENTENCE = re.compile(r".+?[.!?](?=\s|$)")


def span_corruption(data: Path, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A T5 of two and two layers that writes what is left out of a text, by its recipe."""
    run = finished_run(data, out / "span_corruption", recipe="span_corruption", **settings)
    valid = run.metrics["valid"]
    losses = curve(run, "loss", "step")
    (RESULTS / "pretraining_t5.svg").write_text(drawn(losses), "utf-8")
    gap = "First Citizen: Before we proceed any <extra_id_0>, hear me speak."
    return {
        **{name: valid[name] for name in ("loss", "perplexity")},
        "curve": losses,
        **facts(run),
        "filled": run.predict([gap], 3)[0].answers,
    }


def summarize(data: Path, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What the recipe makes of the docstrings, beside what their beginnings are worth."""
    run = finished_run(None, out / "summarize", recipe="summarize", **settings)
    tests = list(DATA["docstrings"].rows("test", 0))
    rests, wanted = ([row[side] for row in tests] for side in (0, 1))
    columns = {"input": rests, "output": wanted}
    task = TextToText.of(run.predictor, {"test": _Columns(columns)}, out / "test")
    records = task.examine("test", np.arange(task.size("test")))
    assert [task.written("test", place)[1] for place in range(len(records))] == wanted
    return {
        **task.score("test", records),
        "lead": lead(rests, wanted),
        "curve": curve(run, "rouge_l", "step"),
        **facts(run),
        "examples": len(tests),
        "said": [[r["answer"], w] for r, w in zip(records[:5], wanted, strict=False)],
    }


def lead(rests: list[str], wanted: list[str]) -> dict[str, dict[str, float]]:
    """What is read says in front, its name left out: its first sentence, its first words."""
    bodies = [rest.split(": ", 1)[1] for rest in rests]
    most = round(sum(len(each.split()) for each in wanted) / len(wanted))
    sentences = [found.group() if (found := SENTENCE.match(b)) else b for b in bodies]
    words = [" ".join(body.split()[:most]) for body in bodies]
    return {"first_sentence": rouge(sentences, wanted), f"first_{most}_words": rouge(words, wanted)}


class _Columns(dict[str, list[str]]):
    """Columns that are read by rows, too, as those of a corpus are."""

    def __len__(self) -> int:
        return len(self["output"])

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        return {name: column[key] for name, column in self.items()}


def drawn(losses: list[list[float]]) -> str:
    """The loss over steps, as a picture that stands by itself."""
    figure = chart("span corruption: validation loss", [Curve("loss", losses, marked=True)])
    inner = figure[figure.index("<svg") : figure.index("</svg>")]
    shapes = inner[inner.index(">") + 1 :]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        'role="img" aria-label="validation loss of span corruption over steps">'
        f"{shapes}</svg>\n"
    )


def masked_lm(data: Path, out: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """A BERT of two layers that fills in masked tokens, by its recipe."""
    run = finished_run(data, out / "masked_lm", recipe="bert", **settings)
    valid = run.metrics["valid"]
    return {
        **{name: valid[name] for name in ("loss", "perplexity", "accuracy")},
        "curve": curve(run, "loss", "step"),
        **facts(run),
        "filled": run.predict(["O Romeo, wherefore [MASK] thou Romeo?"], 3)[0].answers,
    }


KINDS = {"masked_lm": masked_lm, "span_corruption": span_corruption, "summarize": summarize}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--out", type=Path, default=Path("runs/pretraining"))
    parser.add_argument("--set", dest="settings", action="append", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = assignments(options.settings)
    for kind in options.kinds.split(","):
        found = KINDS[kind](options.data, options.out, settings)
        # Read after training: another kind may have been saved meanwhile.
        rows = [row for row in rows_of("pretraining") if row["kind"] != kind]
        rows.append({"kind": kind, "settings": settings, **found})
        print(rows[-1], flush=True)
        save("pretraining", rows)


if __name__ == "__main__":
    main()
