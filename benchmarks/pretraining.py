"""Does pre-training go down as it should? A small network of each kind on tinyshakespeare.

python -m benchmarks.pretraining --data TINYSHAKESPEARE.TXT [--steps 1500]
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import curve, facts, finished_run


def masked_lm(data: Path, out: Path, steps: int) -> dict[str, Any]:
    """A BERT of two layers that fills in masked tokens, by its recipe."""
    run = finished_run(data, out / "masked_lm", recipe="bert", steps=steps)
    valid = run.metrics["valid"]
    return {
        "kind": "masked_lm",
        **{name: valid[name] for name in ("loss", "perplexity", "accuracy")},
        "curve": curve(run, "loss", "step"),
        **facts(run),
        "filled": run.predict(["O Romeo, wherefore [MASK] thou Romeo?"], 3)[0].answers,
    }


KINDS = {"masked_lm": masked_lm}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=Path("runs/pretraining"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for kind in options.kinds.split(","):
        rows = [row for row in rows_of("pretraining") if row["kind"] != kind]
        rows.append(KINDS[kind](options.data, options.out, options.steps))
        print(rows[-1], flush=True)
        save("pretraining", rows)


if __name__ == "__main__":
    main()
