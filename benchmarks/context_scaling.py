"""When does the sending of context parallelism hide behind its arithmetic, up to a million tokens?

A model on paper, from the pieces that `regard.context` really sends and computes (`Layout`), for
devices of assumed rates; and beside it what can be measured on one machine: how the work and the
memory of a rank fall with the number of ranks (gloo, forks of this process, their own CPU time).

    python -m benchmarks.context_scaling [--measure]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from rich.console import Console
from rich.table import Table

import regard
from benchmarks.measure import save
from regard._backends import chunked
from regard._backends._structure import Reach, reach
from regard.benching.timing import peak_bytes
from regard.context import shard, zig_zag
from regard.context.layout import Layout
from regard.masks import Causal, Mask, SlidingWindow

WORLDS = (8, 64, 512)
LENGTHS = (131_072, 1_048_576)
WINDOW = 4096


@dataclass(frozen=True)
class Network:
    """A decoder's attention: LLaMA 3 8B has these sizes."""

    heads: int = 32
    kv_heads: int = 8
    width: int = 128
    layers: int = 32
    number_bytes: int = 2


@dataclass(frozen=True)
class Device:
    """What is assumed of a device, all of it from data sheets but `share`.

    Args:
        flops: FLOP/s of its matrix products at most, of which attention reaches `share`.
        link: bytes/s in one direction to another device; `far_link` where there are more devices
            than `near`.
        latency: seconds until a message begins to arrive, and of each small exchange before a call.
    """

    name: str
    flops: float
    share: float
    link: float
    far_link: float
    near: int
    latency: float

    def link_of(self, world: int) -> float:
        """Bytes/s where so many talk; the slowest link counts for all."""
        return self.link if world <= self.near else self.far_link


DEVICES = (
    # H200 SXM: 989 TFLOP/s in bf16, NVLink 450 GB/s each way among 8, InfiniBand NDR 400 Gbit/s.
    Device("H200, NVLink and InfiniBand", 989e12, 0.5, 450e9, 50e9, 8, 10e-6),
    # A server of two 32-core sockets at 110 GFLOP/s a core (measured here), Ethernet 25 Gbit/s.
    Device("64 CPU cores, 25 Gbit/s", 64 * 110e9, 0.5, 3.125e9, 3.125e9, 1, 50e-6),
)
FORWARD, BACKWARD = 4, 10
"""FLOPs for each pair and number of a head's width: 2 products, and 5 with the scores again."""
GRADIENT_BYTES = 4
"""Of a number: gradients of keys and values go back in float32."""


def layout_of(length: int, world: int, rank: int, folded: bool) -> Layout:
    """One rank's view of a sequence, in the order of ranks or folded (zig-zag)."""
    if folded:
        runs = [zig_zag(length, each, world) for each in range(world)]
    else:
        runs = [[(length * n // world, length // world)] for n in range(world)]
    return Layout(rank, runs, runs)


def steps(layout: Layout, seen: Reach) -> Iterator[tuple[int, int]]:
    """For each step the pairs that a rank computes with, and the keys that it receives."""
    for step in range(layout.world):
        owner = (layout.rank - step) % layout.world
        yield (
            layout.pairs(layout.rank, owner, seen),
            sum(piece.length for piece in layout.needed(layout.rank, owner, seen)) * (step > 0),
        )


def predicted(
    length: int, world: int, mask: Mask | None, network: Network, device: Device
) -> dict[str, Any]:
    """Seconds of a layer, forward and backward, and what of them is waiting for the link.

    In a step the arithmetic and the keys of the next step go on side by side, and the slower of the
    two counts; the slowest of some ranks counts for all.
    """
    seen, rate = reach(mask), device.flops * device.share
    link = device.link_of(world)
    key_bytes = network.kv_heads * 2 * network.width
    ranks = sorted({0, world // 2, world - 1})
    worst = {"forward_s": 0.0, "backward_s": 0.0, "waiting_s": 0.0, "received_bytes": 0.0}
    for rank in ranks:
        folded = mask is not None and seen[0] is None
        layout = layout_of(length, world, rank, folded)
        found = list(steps(layout, seen))
        forward = compute = 2 * device.latency
        backward = 0.0
        for (pairs, _), (_, coming) in zip(found, [*found[1:], (0, 0)], strict=True):
            work = pairs * network.heads * network.width / rate
            there = coming * key_bytes * network.number_bytes / link
            back = coming * key_bytes * GRADIENT_BYTES / link
            late = device.latency if coming else 0.0
            forward += max(FORWARD * work, there + late)
            backward += max(BACKWARD * work, there + back + 2 * late)
            compute += (FORWARD + BACKWARD) * work
        received = sum(keys for _, keys in found) * key_bytes * network.number_bytes
        one = {"forward_s": forward, "backward_s": backward,
               "waiting_s": forward + backward - compute, "received_bytes": received}  # fmt: skip
        worst = {name: max(worst[name], one[name]) for name in worst}
    return worst | {"memory_bytes": memory(length // world, network)}


def memory(places: int, network: Network) -> dict[str, int]:
    """Bytes of a device: what all layers keep for the backward pass, and what one holds in it.

    Kept are query, key, value and output in the number's own bytes, and a float32 for each query
    and head; in the backward pass there are own gradients in float32, two others' keys and values,
    and two others' gradients.
    """
    own = places * network.width * (2 * network.heads + 2 * network.kv_heads)
    others = 2 * places * network.width * 2 * network.kv_heads
    kept = own * network.number_bytes + 4 * places * network.heads
    gradients = 4 * places * network.width * (network.heads + 2 * network.kv_heads)
    return {
        "kept": network.layers * kept,
        "working": gradients + others * (network.number_bytes + GRADIENT_BYTES),
    }


def shortest(world: int, network: Network, device: Device) -> dict[str, float]:
    """Keys of a device from which on the link is never waited for, without a mask.

    forward: 4 n² h d / F = 2 n g d b / B          n = b g F / (2 h B)
    backward: 10 n² h d / F = 2 n g d (b + 4) / B  n = (b + 4) g F / (5 h B)
    """
    rate, link = device.flops * device.share, device.link_of(world)
    per_head = network.kv_heads / network.heads * rate / link
    return {
        "forward": network.number_bytes * per_head / 2,
        "backward": (network.number_bytes + GRADIENT_BYTES) * per_head / 5,
    }


def model() -> list[dict[str, Any]]:
    """All rows of the model."""
    network, found = Network(), []
    masks = {"none": None, "causal": Causal(), f"window {WINDOW}": SlidingWindow(WINDOW)}
    for device in DEVICES:
        for length in LENGTHS:
            for world in WORLDS:
                for name, mask in masks.items():
                    row = predicted(length, world, mask, network, device)
                    found.append({"device": device.name, "length": length, "devices": world,
                                  "mask": name, **row,
                                  "hides_from": shortest(world, network, device)})  # fmt: skip
    return found


SIZES = {"batch": 1, "heads": 4, "width": 64, "length": 2048}
RUNS = 5
PAIR_BYTES = 1 << 19


def measured() -> list[dict[str, Any]]:
    """Work and memory of a rank, as the slowest of 1, 2 and 4 has them."""
    found = []
    for name, mask in (("none", None), ("causal", Causal()), ("window 128", SlidingWindow(128))):
        alone: dict[str, float] = {}
        for world in (1, 2, 4):
            ranks = _forked(world, mask)
            row = {key: max(rank[key] for rank in ranks) for key in ranks[0]}
            alone = alone or row
            found.append({
                "mask": name, "ranks": world, **row,
                "cpu_share": row["cpu_s"] / alone["cpu_s"],
                "pairs_share": row["pairs"] / alone["pairs"],
                "peak_share": row["peak_bytes"] / alone["peak_bytes"],
            })  # fmt: skip
            print(found[-1], flush=True)
    return found


def _forked(world: int, mask: Mask | None) -> list[dict[str, float]]:
    """What each of so many processes says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(world):
            children.append(os.fork())
            if not children[-1]:
                told = _rank(rank, world, mask, folder)
                Path(folder, str(rank)).write_text(" ".join(map(repr, told.values())))
                os._exit(0)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        names = ("cpu_s", "peak_bytes", "pairs")
        return [
            dict(zip(names, map(float, Path(folder, str(r)).read_text().split()), strict=True))
            for r in range(world)
        ]


def _rank(rank: int, world: int, mask: Mask | None, folder: str) -> dict[str, float]:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank,
                            world_size=world)  # fmt: skip
    torch.manual_seed(0)
    s, seen = SIZES, reach(mask)
    folded = mask is not None and seen[0] is None
    layout = layout_of(s["length"], world, rank, folded)
    whole = torch.randn(3, s["batch"], s["heads"], s["length"], s["width"])
    spans = layout.queries[rank]
    own = [shard(x, spans).requires_grad_() for x in whole]
    golden = regard.attention(*whole, mask=mask)

    def step() -> torch.Tensor:
        output = regard.context_parallel(*own, spans=spans, mask=mask)
        torch.autograd.grad(output, own, torch.ones_like(output))
        return output

    torch.testing.assert_close(step(), shard(golden, spans))  # before anything is timed
    del whole, golden
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    # What is held for pairs has the same size on any number of ranks; a small one lets us see the
    # rest, which should not.
    chunked.CHUNK_BYTES = PAIR_BYTES
    peak = peak_bytes(step, "cpu") or 0
    dist.barrier()
    return {
        "cpu_s": statistics.median(times),
        "peak_bytes": peak,
        "pairs": sum(layout.pairs(rank, owner, seen) for owner in range(world)),
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Print the model, a layer's seconds and a device's memory."""
    names = ("device", "tokens", "devices", "mask", "forward", "backward", "waiting", "received",
             "kept", "hides from")  # fmt: skip
    table = Table(*names, box=None)
    for row in rows:
        both = row["forward_s"] + row["backward_s"]
        table.add_row(
            row["device"], f"{row['length']:,}", str(row["devices"]), row["mask"],
            f"{row['forward_s'] * 1e3:,.2f} ms", f"{row['backward_s'] * 1e3:,.2f} ms",
            f"{row['waiting_s'] / both:.0%}", f"{row['received_bytes'] / 1e6:,.0f} MB",
            f"{row['memory_bytes']['kept'] / 1e9:,.2f} GB", f"{row['hides_from']['backward']:,.0f}",
        )  # fmt: skip
    Console(width=200).print(table)


def main() -> None:
    """Compute the model, and measure if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="run 1, 2 and 4 ranks, too")
    options = parser.parse_args()
    rows = model()
    show(rows)
    if options.measure:
        devices = [asdict(device) for device in DEVICES]
        more = {"network": asdict(Network()), "devices": devices, "model": rows, "sizes": SIZES,
                "load": os.getloadavg()[0]}  # fmt: skip
        print(f"written to {save('context_scaling', measured(), **more)}")


if __name__ == "__main__":
    main()
