"""One of several processes that behave, or do not: run by test_ranks.py and test_launch.py."""

import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time

import torch

from regard.training.ranks import LostRank, joined
from regard.training.signals import graceful

PATIENCE = {"hang": 3.0}
"""Seconds that a rank waits for another: longer than any start, where none hangs."""


def behave(kind: str) -> int:
    with (
        joined(timeout_s=PATIENCE.get(kind, 200.0), device="cpu") as ranks,
        graceful() as stop,
    ):
        total = ranks.sum(torch.tensor([1.0, ranks.rank]))
        texts = ranks.gather("héllo\n" * ranks.rank)
        say = sys.stdout.write if ranks.rank == 0 or kind == "loud" else len
        say(f"{ranks.rank}/{ranks.world} {total.tolist()} {texts}\n")
        sys.stdout.flush()
        if kind == "differ":
            ranks.require_same("alike")
            ranks.require_same(f"config {ranks.rank}")
        if ranks.rank == 1 and kind == "die":
            os._exit(7)
        if ranks.rank == 1 and kind == "fail":
            raise OSError("the disk of rank 1 is full")
        if ranks.rank == 1 and kind == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
        while kind == "work" and not ranks.sum(torch.tensor(float(stop.number is not None))):
            time.sleep(0.02)
        if kind == "stubborn":
            while stop.number is None:
                time.sleep(0.01)
            ranks.barrier()
            say("asked\n")
            sys.stdout.flush()
            while True:  # a signal just before one long sleep would not end it
                time.sleep(0.02)
        ranks.barrier()
        return stop.exit_code


def outcome(kind: str) -> int:
    try:
        return behave(kind)
    except (LostRank, OSError, ValueError) as error:
        sys.stderr.write(f"regard: {error}\n")
        return 1


def forked(kind: str) -> dict[str, object]:
    """Run two ranks without torchrun and say how each ended: PyTorch is imported only once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2")
    children, logs = [], [tempfile.TemporaryFile("w+") for _ in range(2)]
    for rank in range(2):
        children.append(os.fork())
        if not children[-1]:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
            sys.stdout = sys.stderr = logs[rank]
            code = outcome(kind)
            # A thread within C++ at the exit of Python aborts the process.
            code = code if threading.active_count() == 1 else 134
            logs[rank].flush()
            os._exit(code)
    codes = [os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])]
    if kind == "hang":
        os.kill(children[1], signal.SIGKILL)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(children[1], 0)[1]))
    said = []
    for log in logs:
        log.seek(0)
        said.append(log.read())
    return {"codes": codes, "said": said}


if __name__ == "__main__":
    if sys.argv[1] == "forked":
        json.dump({kind: forked(kind) for kind in sys.argv[2:]}, sys.stdout)
    else:
        sys.exit(outcome(sys.argv[1]))
