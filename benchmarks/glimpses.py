"""Is it worth while to look where the digit is, rather than everywhere?

Drawn digits of 28 by 28, and ones that stand anywhere among four pieces of others in 60 by 60: RAM
with six glimpses (of 8 by 8; of three patches of 12 by 12 among clutter), and beside it, as in the
paper, a convolution of 10 by 10 with a stride of 5 and a layer of 256, with as many filters as cost
the same multiply-adds. Both are trained by `regard.train` with the same batches, rates and budget;
the epoch is chosen on the validation part, the test part is asked once. One RAM does not learn
where to look: its draws count nothing. Rows that are there are not made again.

    python -m benchmarks.glimpses [--data digits,cluttered_digits] [--seeds 0] [--epochs 8]

References:
    Mnih, Heess, Graves & Kavukcuoglu. Recurrent Models of Visual Attention. 2014.
    https://arxiv.org/abs/1406.6247
"""

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import regard
from benchmarks.measure import rows_of, save
from benchmarks.runs import facts
from regard.models.ram import RAM, RAMConfig
from regard.tasks.image_classify import ImageClassify, ImageClassifySettings

DATA: dict[str, tuple[int, dict[str, Any]]] = {
    "digits": (28, {"patch_size": 8}),
    "cluttered_digits": (60, {"patch_size": 12, "patches": 3}),
}
"""Name of the data → the size of its pictures, and what RAM has for them."""
WAYS = ("ram", "ram, where it looks not learned", "convolution")
CLASSES = 10
TRAINING: dict[str, Any] = dict(optimizer="adamw", learning_rate=1e-3, weight_decay=0.01, clip=5.0)
"""As the recipe `ram` has it; without a recipe pictures are learned by SGD."""
MOST = 512
"""Filters among which as many are chosen as cost what RAM does."""


class Convolution(nn.Module):
    """A convolution, a hidden layer and labels, as the paper's baseline."""

    def __init__(self, filters: int, size: int) -> None:
        super().__init__()
        self.filters = nn.Conv2d(3, filters, 10, 5)
        places = ((size - 10) // 5 + 1) ** 2
        self.hidden, self.output = nn.Linear(filters * places, 256), nn.Linear(256, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the labels."""
        found = torch.relu(self.filters(images)).flatten(1)
        return self.output(torch.relu(self.hidden(found)))


def multiply_adds(model: nn.Module, size: int) -> int:
    """Of one picture."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, 3, size, size))
    return counter.get_total_flops() // 2


@cache
def filters_for(wanted: int, size: int) -> int:
    """How many filters cost nearest to so many multiply-adds."""
    one, two = (multiply_adds(Convolution(filters, size), size) for filters in (1, 2))
    return max(1, min(MOST, round((wanted - (2 * one - two)) / (two - one))))


def network(way: str, data: str) -> nn.Module:
    """A new network."""
    size, changes = DATA[data]
    ram = RAM(RAMConfig(classes=CLASSES, reinforce=0.1, **changes))
    if way == "ram":
        return ram
    if way == "convolution":
        return Convolution(filters_for(multiply_adds(ram, size), size), size)
    return RAM(RAMConfig(classes=CLASSES, reinforce=0.0, **changes))


@cache
def pictures(data: str) -> tuple[Any, ImageClassifySettings]:
    """The data, drawn and read."""
    settings = ImageClassifySettings(size=DATA[data][0], batch_size=64)
    return ImageClassify.prepare(f"synthetic:{data}", settings), settings


def measured(way: str, data: str, seed: int, epochs: float, out: Path) -> dict[str, Any]:
    """Train one network, and what came of it."""
    size, _ = DATA[data]
    prepared, settings = pictures(data)
    torch.manual_seed(seed)
    model = network(way, data)
    cost = multiply_adds(model, size)
    task = ImageClassify(prepared, model.train(), settings)
    place = out / f"{data}-{way.replace(', ', '-').replace(' ', '_')}-{seed}-{epochs:g}"
    run = regard.train(task=task, out=place, epochs=epochs, seed=seed, **TRAINING)
    return {
        **{"data": data, "way": way, "seed": seed, "multiply_adds": cost},
        **facts(run),
        "valid_accuracy": run.metrics["valid"]["accuracy"],
        "test_accuracy": run.metrics["test"]["accuracy"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--out", type=Path, default=Path("runs/glimpses"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of("glimpses")
    for seed in map(int, options.seeds.split(",")):
        for data in options.data.split(","):
            for way in WAYS:
                key = (data, way, seed, options.epochs)
                if any((r["data"], r["way"], r["seed"], r["budget"]) == key for r in rows):
                    continue
                found = measured(way, data, seed, options.epochs, options.out)
                rows.append({**found, "budget": options.epochs})
                save("glimpses", rows)
                print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
