"""Children that save in a loop and are killed, one after another: run by test_checkpoint.

Every child goes on from the newest checkpoint, as a resumed run would, and says on a pipe which
steps are complete. PyTorch is imported once; the children are forks.
"""

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

from regard.training.checkpoint import newest, save_checkpoint


def tensors_at(step: int) -> dict[str, dict[str, torch.Tensor]]:
    weight = torch.full((64, 1024), float(step))
    moments = {"mean": torch.full((64, 1024), step / 2), "count": torch.tensor(step)}
    return {"model": {"weight": weight, "tied": weight}, "optimizer": moments}


def resume_and_save(folder: Path, pipe: int) -> None:
    found = newest(folder)
    step = found.step if found else 0
    while True:
        step += 1
        save_checkpoint(folder, step, tensors_at(step), {"step": step})
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


def seconds_of_a_save() -> float:
    """How long a child needs to find a checkpoint and save the next, on this machine, now."""
    with tempfile.TemporaryDirectory() as scratch:
        for step in (1, 2):
            save_checkpoint(Path(scratch), step, tensors_at(step), {"step": step})
        began = time.monotonic()
        newest(Path(scratch))
        save_checkpoint(Path(scratch), 3, tensors_at(3), {"step": 3})
        return time.monotonic() - began


if __name__ == "__main__":
    # A child of a process whose OpenMP has threads hangs at its first parallel loop.
    torch.set_num_threads(1)
    kills, torn, reached = int(sys.argv[2]), False, 0
    # The moments are spread over three saves of this machine's own pace. A busy one may need more
    # of them until a kill has fallen into a save and the steps have gone on.
    for number in range(10 * kills):
        place = number % kills / kills
        if not place:
            pace = seconds_of_a_save()
        outcome = kill_after(Path(sys.argv[1]), pace * (0.2 + 3 * place))
        sys.stdout.write(json.dumps(outcome) + "\n")
        torn, reached = torn or bool(outcome["torn"]), int(str(outcome["found"]))
        if number >= kills - 1 and torn and reached > 10:
            break
