"""What do gates bring a U-Net, and attention to places and channels a DANet, on drawn scenes?

Shapes before and behind each other, 2000 pictures of 48 by 48: which pixel belongs to what? Each
network is trained by its recipe with and without its attention, whose convolutions stay where it is
left out; the epoch is chosen on the validation part, the test part is asked once. Rows that are
there are not made again.

    python -m benchmarks.segmenting [--seeds 0] [--epochs 3] [--only "unet;unet, gates"]
        [--set KEY=VALUE]
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import rows_of, save
from benchmarks.runs import assignments, facts, finished_run

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "unet": ("unet", {}),
    "unet, gates": ("unet", {"gates": True}),
    "danet": ("danet", {}),
    "danet, places alone": ("danet", {"channel": False}),
    "danet, channels alone": ("danet", {"position": False}),
    "danet, neither": ("danet", {"position": False, "channel": False}),
}
"""Name of the row → the recipe, and what is changed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--only", default=";".join(WAYS), help="ways, `;` between them")
    parser.add_argument("--set", action="append", default=[], help="for every network")
    parser.add_argument("--out", type=Path, default=Path("runs/segmenting"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("segmenting")
    for seed in map(int, options.seeds.split(",")):
        for way in options.only.split(";"):
            recipe, changes = WAYS[way]
            key = {"way": way, "seed": seed, "budget": options.epochs, "set": options.set}
            if any(key.items() <= row.items() for row in rows):
                continue
            place = options.out / f"{way.replace(', ', '-').replace(' ', '_')}-{seed}"
            budget = {"epochs": options.epochs, "seed": seed, **assignments(options.set)}
            run = finished_run(None, place, recipe=recipe, **budget, **changes)
            scores = {f"test_{k}": run.metrics["test"][k] for k in ("dice", "iou", "loss")}
            rows.append({**key, **facts(run), **scores})
            save("segmenting", rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
