"""Ranks that move what they count together: run by test_reinforce.py.

Each rank has its own losses in every round. Prints the baseline of each rank after each round, and
how much of its linear start a memory network has left.
"""

import json
import os
import socket
import sys

import torch
import torch.distributed as dist

from regard.layers import Reinforce, Sampled
from regard.models.memory import MemoryConfig, MemoryNetwork
from regard.training.parallel import buffers_unchanged

ROUNDS = [
    # What each rank's examples cost; an example without a label costs None.
    [[3.0, 5.0], [1.0]],
    [[2.0, None, 4.0], [6.0, 0.5]],
    [[None], [9.0, 1.0]],
    [[None, None], [None]],
    [[float("nan")], [2.0]],
    [[7.0, 8.0, 2.5], [4.0]],
]
SPARE = [[1.0, 2.5], [100.0]]
"""In the last round the second rank has nothing left and takes part with what is no example."""


def step(reinforce: Reinforce, costs: list[float | None]) -> None:
    """What a training step does with these losses."""
    known = torch.tensor([cost is not None for cost in costs])
    nll = torch.tensor([1e6 if cost is None else cost for cost in costs], dtype=torch.float64)
    zeros = torch.zeros_like(nll, requires_grad=True)
    reinforce(nll, Sampled(zeros, zeros), known)


def baselines(rank: int) -> list[float]:
    """After each round of this rank, and after the spare one."""
    reinforce, found = Reinforce().double(), []
    for costs in ROUNDS:
        step(reinforce, costs[rank])
        found.append(float(reinforce.baseline))
        if rank == 1:
            # One rank may look at losses alone, without gradients or out of training.
            with torch.no_grad():
                step(reinforce, [50.0])
            step(reinforce.eval(), [50.0])
            reinforce.train()
    with buffers_unchanged(reinforce, rank == 1):
        step(reinforce, SPARE[rank])
    return [*found, float(reinforce.baseline), left_of_a_start(rank)]


def left_of_a_start(rank: int) -> float:
    """Of 100 questions after 3 of the first rank and 4 of the second, and 3 of the first alone."""
    network = MemoryNetwork(MemoryConfig(vocab=9, embed_dim=4, hops=1))
    network.start_linear(100)
    network.learned(3 + rank)
    with buffers_unchanged(network, rank == 1):
        network.learned(3 + rank)
    return float(network.linear)


def main() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    rank = 1 if os.fork() else 0
    dist.init_process_group("gloo", init_method=place, rank=rank, world_size=2)
    found: list[object] = [None, None]
    dist.all_gather_object(found, baselines(rank))
    dist.destroy_process_group()
    if rank == 0:
        os._exit(0)
    sys.stdout.write(json.dumps(found))
    os.wait()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
