"""Children that save in a loop and are killed, one after another: run by test_checkpoint.

Every child goes on from the newest checkpoint, as a resumed run would, and says on a pipe which
steps are complete. PyTorch is imported once; the children are forks.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from regard.train.checkpoint import newest, save


def tensors_at(step: int) -> dict[str, dict[str, torch.Tensor]]:
    weight = torch.full((64, 1024), float(step))
    moments = {"mean": torch.full((64, 1024), step / 2), "count": torch.tensor(step)}
    return {"model": {"weight": weight, "tied": weight}, "optimizer": moments}


def resume_and_save(folder: Path, pipe: int) -> None:
    found = newest(folder)
    step = found.step if found else 0
    while True:
        step += 1
        save(folder, step, tensors_at(step), {"step": step})
        os.write(pipe, f"{step}\n".encode())


def kill_after(folder: Path, seconds: float) -> dict[str, object]:
    """Let a child save for this long, kill it, and look at what is left."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            resume_and_save(folder, writer)
        finally:
            os._exit(1)
    os.close(writer)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reader) as lines:
        announced = [int(line) for line in lines.read().splitlines()]
    left = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = newest(folder)
    equal = found is None or all(
        torch.equal(tensor, found.read(group)[name])
        for group, named in tensors_at(found.step).items()
        for name, tensor in named.items()
    )
    return {
        "announced": max(announced, default=0),
        "found": found.step if found else 0,
        "equal": equal and (found is None or found.state == {"step": found.step}),
        "skipped": found.skipped if found else [],
        "torn": any(name.startswith(".tmp-") for name in left),
        "after": sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [],
    }


if __name__ == "__main__":
    kills, apart = int(sys.argv[2]), float(sys.argv[3])
    for number in range(kills):
        outcome = kill_after(Path(sys.argv[1]), 0.004 + apart * number)
        sys.stdout.write(json.dumps(outcome) + "\n")
