"""Is a residual network with a block of attention better than the plain one, and what does it cost?

ResNet-20 on CIFAR-10, plain and with each block in its paper's place: parameters, products of one
picture, pictures a second of processor time beside the plain network in one process, and the
accuracy on all test pictures after a budget of updates that is the same for all (see
`benchmarks.cifar`). Differences are compared with what seeds alone make of one network. Seeds take
turns, so that it may be stopped at any time; rows that are there are not made again.

    python -m benchmarks.blocks --data FOLDER [--seeds 0,1,2] [--steps 400] [--only se,cbam]

FOLDER holds `train.parquet` and `test.parquet`, as the Hub has CIFAR-10; without it the table of
what was measured is printed.

References:
    He, Zhang, Ren & Sun. Deep Residual Learning for Image Recognition. 2016.
    https://arxiv.org/abs/1512.03385
"""

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from math import sqrt
from pathlib import Path
from time import process_time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cifar import CLASSES, SIZE, Pictures, layout, network
from benchmarks.measure import RESULTS, rows_of, save, side_by_side
from benchmarks.runs import facts

Row = dict[str, Any]
PLAIN = "plain"
BLOCKS = (
    *(
        "se",
        "eca",
        "cbam",
        "non_local",
        "gc",
        "bam",
        "sk(groups=2)",
        "dual",
        "coordinate",
        "simam",
        "scse",
    ),
    *(
        "ema(groups=8)",
        "gsop(dim=16)",
        "asymmetric_non_local",
        "split",
        "cbam_channel",
        "cbam_spatial",
    ),
    *("dual_position", "dual_channel", "gsop_spatial"),
)
"""All that read single pictures, the best known first. 16 channels have not 32 groups, and two
kernels of half the channels each cost what the convolution does that SK is put in the place of."""
BATCH = 64
IN_A_NAME = str.maketrans("(=", "__", ")")
NOISE = 2.0
"""Standard errors up to which a difference is noise."""


def new(way: str, seed: int = 0) -> nn.Module:
    """A new network."""
    return network(None if way == PLAIN else way, seed)


def multiply_adds(model: nn.Module) -> int:
    """Products of one picture; what is done number by number does not count."""
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        model.eval()(torch.zeros(1, 3, SIZE, SIZE))
    return counter.get_total_flops() // 2


def updates(model: nn.Module, images: Tensor, labels: Tensor) -> Callable[[], None]:
    """What makes an update of these pictures."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, fused=True)

    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            loss = cross_entropy(model.train()(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def answers(model: nn.Module, images: Tensor) -> Callable[[], None]:
    """What asks for the labels of these pictures."""

    @torch.inference_mode()
    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            model.eval()(images)

    return run


def cost(way: str, seconds: float) -> Row:
    """What a network costs beside the plain one."""
    ours, plain = new(way), new(PLAIN)
    labels = torch.randint(CLASSES, (BATCH,))
    last = torch.randn(BATCH, 3, SIZE, SIZE).contiguous(memory_format=layout(None))
    images = last.contiguous(memory_format=layout(way))
    learn, ask = (
        side_by_side(one, other, seconds, process_time)
        for one, other in (
            (updates(ours, images, labels), updates(plain, last, labels)),
            (answers(ours, images), answers(plain, last)),
        )
    )
    return {
        "way": way,
        "parameters": sum(weight.numel() for weight in ours.parameters()),
        "multiply_adds": multiply_adds(ours),
        "training_images_per_second": BATCH / learn["ours_s"],
        "training_speed": learn["ratio"],
        "inference_images_per_second": BATCH / ask["ours_s"],
        "inference_speed": ask["ratio"],
    }


def learned(pictures: Pictures, way: str, seed: int, steps: int) -> Row:
    """Train one network, and what came of it."""
    name = f"{way.translate(IN_A_NAME)}-{seed}-{steps}"
    run = pictures.trained(new(way, seed), name, steps=steps, seed=seed)
    return {
        **{"way": way, "seed": seed, "updates": steps, "pictures": steps * BATCH},
        **facts(run),
        "test_accuracy": pictures.accuracy(run.model),
        "valid_accuracy": run.metrics["valid"]["accuracy"],
    }


def verdicts(rows: Iterable[Row]) -> dict[str, tuple[float, float, str]]:
    """Way → points over the plain network in the mean, their standard error, and what they are.

    The deviation between seeds is taken to be the same for all networks, for three seeds of one
    say little of it.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        found[row["way"]].append(100 * row["test_accuracy"])
    several = [each for each in found.values() if len(each) > 1]
    freedom = sum(len(each) - 1 for each in several)
    if not freedom or PLAIN not in found:
        return {}
    squares = sum((len(each) - 1) * statistics.variance(each) for each in several)
    deviation, plain, judged = sqrt(squares / freedom), found[PLAIN], {}
    for way, each in found.items():
        gain = statistics.mean(each) - statistics.mean(plain)
        error = deviation * sqrt(1 / len(each) + 1 / len(plain))
        said = "within noise" if abs(gain) <= NOISE * error else "holds" if gain > 0 else "does not"
        judged[way] = (gain, error, said if len(each) > 1 else "one seed")
    return judged


def table(rows: list[Row], costs: list[Row]) -> Table:
    """All that was measured."""
    names = ("block", "parameters", "M products", "training", "inference", "accuracy", "over plain")
    shown, judged = Table(*names, "better than plain"), verdicts(rows)
    for each in costs:
        way = each["way"]
        seeds = [f"{100 * row['test_accuracy']:.1f}" for row in rows if row["way"] == way]
        gain, error, said = judged.get(way, (0.0, 0.0, ""))
        shown.add_row(
            way,
            f"{each['parameters']:,}",
            f"{each['multiply_adds'] / 1e6:.1f}",
            f"{each['training_images_per_second']:.0f}/s {each['training_speed']:.2f}x",
            f"{each['inference_images_per_second']:.0f}/s {each['inference_speed']:.2f}x",
            " ".join(seeds),
            f"{gain:+.1f} ± {error:.1f}" if said and way != PLAIN else "",
            said if way != PLAIN else "",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--only", default=",".join(BLOCKS), help="blocks beside the plain network")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each timing")
    parser.add_argument("--out", type=Path, default=Path("runs/blocks"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows, path = rows_of("blocks"), RESULTS / "blocks.json"
    costs: list[Row] = json.loads(path.read_text())["costs"] if path.exists() else []
    ways = (PLAIN, *options.only.split(","))
    for way in ways if options.data else ():
        if all(each["way"] != way for each in costs):
            costs.append(cost(way, options.seconds))
            save("blocks", rows, costs=costs)
            print(costs[-1], flush=True)
    pictures = Pictures.read(options.data, BATCH, options.out) if options.data else None
    for seed in map(int, options.seeds.split(",")):
        for way in ways if pictures else ():
            key = {"way": way, "seed": seed, "updates": options.steps}
            if any(key.items() <= row.items() for row in rows):
                continue
            rows.append(learned(pictures, way, seed, options.steps))
            save("blocks", rows, costs=costs)
            print(rows[-1], flush=True)
    equal = [row for row in rows if row["updates"] == options.steps]
    Console(width=150).print(table(equal, costs))


if __name__ == "__main__":
    main()
