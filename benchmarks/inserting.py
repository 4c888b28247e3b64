"""What does a block cost a trained network in which it is put, and what does it bring?

The plain ResNet-20 of `benchmarks.blocks` (made there first), with blocks put in front of each
residual sum by `regard.insert`: as they begin by themselves, and faded in from the identity. Then
all is trained on, a tenth of the updates that the network was trained with, from a tenth of their
rate. Asked are all test pictures: before, as it was put in, and at the end. `nothing` is the same
network trained on without any. Rows that are there are not made again.

    python -m benchmarks.inserting --data FOLDER [--seeds 0,1,2] [--steps 400] [--only se,cbam]
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

import regard
from benchmarks.blocks import BATCH, PLAIN, learned
from benchmarks.cifar import SIZE, TRAINING, Pictures
from benchmarks.measure import rows_of, save

NOTHING = "nothing"
BLOCKS = ("se", "cbam", "eca", "gc", "coordinate")
TENTH = 10


def put_in(model: nn.Module, block: str, identity_start: bool) -> None:
    """Put blocks in front of all residual sums, and see that no weight is lost."""
    old = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    example = torch.zeros(1, 3, SIZE, SIZE)
    plan = regard.insert(model, block, before="sum", example=example, identity_start=identity_start)
    assert not plan.load_weights(model, old).lost


def measured(
    pictures: Pictures, block: str, identity_start: bool, seed: int, steps: int
) -> dict[str, Any]:
    """Put a block in and train on, and what came of it."""
    model = regard.Run(pictures.out / f"{PLAIN}-{seed}-{steps}").model
    torch.manual_seed(seed)
    before = pictures.accuracy(model)
    if block != NOTHING:
        put_in(model, block, identity_start)
    put = pictures.accuracy(model)
    name = f"inserted-{block}-{identity_start}-{seed}-{steps}"
    few, rate = steps // TENTH, TRAINING["learning_rate"] / TENTH
    pictures.trained(model, name, steps=few, seed=seed + 1, learning_rate=rate, resume="never")
    return {
        **{"block": block, "identity_start": identity_start, "seed": seed},
        **{"updates_before": steps, "updates": few, "learning_rate": rate},
        **{"accuracy_before": before, "accuracy_put_in": put},
        "accuracy_at_the_end": pictures.accuracy(model),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", default=",".join(BLOCKS))
    parser.add_argument("--out", type=Path, default=Path("runs/blocks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    pictures, rows = Pictures.read(options.data, BATCH, options.out), rows_of("inserting")
    ways = [(NOTHING, True)]
    ways += [(block, starts) for block in options.only.split(",") for starts in (False, True)]
    for seed in map(int, options.seeds.split(",")):
        if not (options.out / f"{PLAIN}-{seed}-{options.steps}").exists():
            learned(pictures, PLAIN, seed, options.steps)
        for block, identity_start in ways:
            key = {"block": block, "identity_start": identity_start, "seed": seed}
            key["updates_before"] = options.steps
            if any(key.items() <= row.items() for row in rows):
                continue
            rows.append(measured(pictures, block, identity_start, seed, options.steps))
            save("inserting", rows)
            print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
