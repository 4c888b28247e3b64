"""Sessions of `Trainer` on the tiny task, each in real processes: run by test_distributed.

Every session is described in JSON. Its processes are forks, so that PyTorch is imported once.
"""

import json
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from regard.errors import RegardError
from regard.training.checkpoint import newest
from regard.training.hooks import TrainerHooks
from regard.training.loop import Trainer
from regard.training.ranks import Ranks, joined
from regard.training.run_folder import CHECKPOINTS
from tests.forked import import_all
from tests.training.tiny import Tiny, config


def act(trainer: Trainer, wanted: dict[str, Any]) -> int | None:
    """What this process does before a step: stop the run, die, or hang."""
    if trainer.state.step < wanted.get("at", 10**9):
        return None
    if wanted["do"] == "stop":
        return 15 if trainer.ranks.rank == wanted.get("rank", 0) else None
    if trainer.ranks.rank == wanted.get("rank", 0):
        if wanted["do"] == "exit":
            os._exit(7)
        os.kill(os.getpid(), {"kill": signal.SIGKILL, "hang": signal.SIGSTOP}[wanted["do"]])
    return None


def session(wanted: dict[str, Any]) -> int:
    """Go on from the newest checkpoint to the end, or to where it is told to stop."""
    with joined(timeout_s=wanted.get("timeout", 20.0), device="cpu") as ranks:
        return trained(wanted, ranks)


def trained(wanted: dict[str, Any], ranks: Ranks) -> int:
    """Train as one of these ranks; returns the exit code."""
    folder = Path(wanted["folder"])
    task = Tiny(dtype=torch.float64, **wanted.get("task", {}))
    trainer = Trainer(
        task,
        config(**wanted.get("config", {})),
        folder,
        ranks,
        shard=wanted.get("shard", False),
        hooks=TrainerHooks(stop_requested=lambda: act(trainer, wanted)),
    )
    found = newest(folder / CHECKPOINTS, mend=ranks.is_main)
    if found is not None:
        trainer.resume(found)
    signal_number = trainer.train()
    seen = json.dumps(task.train.seen)
    (folder / f"seen-{os.getppid()}-{ranks.rank}-{trainer.state.step}.json").write_text(seen)
    return 0 if signal_number is None else 128 + signal_number


def outcome(wanted: dict[str, Any]) -> int:
    try:
        return session(wanted)
    except (RegardError, FloatingPointError, OSError) as error:
        sys.stderr.write(f"regard: {error}\n")
        return 1


def forked(wanted: dict[str, Any]) -> dict[str, object]:
    """Run the processes of a session and say how each ended."""
    Path(wanted["folder"]).mkdir(parents=True, exist_ok=True)
    world = wanted.get("world", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free.getsockname()[1]))
    children, logs = [], [tempfile.TemporaryFile("w+") for _ in range(world)]
    for rank in range(world):
        children.append(os.fork())
        if not children[-1]:
            if world > 1:
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world))
            sys.stdout = sys.stderr = logs[rank]
            code = 70
            try:
                code = outcome(wanted)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                logs[rank].flush()
                os._exit(code)
    order = sorted(range(world), key=lambda rank: rank == wanted.get("rank", 0))
    codes = {}
    for rank in order:
        if wanted.get("do") == "hang" and rank == wanted.get("rank", 0):
            os.kill(children[rank], signal.SIGKILL)
        codes[rank] = os.waitstatus_to_exitcode(os.waitpid(children[rank], 0)[1])
    said = []
    for log in logs:
        log.seek(0)
        said.append(log.read())
    return {"codes": [codes[rank] for rank in range(world)], "said": said}


if __name__ == "__main__":
    import_all()
    torch.set_num_threads(1)
    for line in sys.stdin:
        sys.stdout.write(json.dumps([forked(wanted) for wanted in json.loads(line)]) + "\n")
        sys.stdout.flush()
