"""Several processes for one training run: starts `torchrun` for the user and hides its noise."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from regard._io.leftovers import remove_leftovers, temporary_name
from regard.training.orphans import CHILD, PARENT, die_with_parent
from regard.training.signals import graceful


def launch(devices: int, arguments: Sequence[str], module: str = "regard") -> int:
    """Run `python -m regard ARGUMENTS` in one process per device.

    Only the output of rank 0 is shown; the last line of another rank is shown if that one failed
    first. A first SIGINT or SIGTERM is forwarded, a second one kills all of them.

    Returns the exit code: that of the first rank that failed, 128 + number after a signal.
    """
    if devices < 1:
        raise ValueError(f"devices must be 1 or more, got {devices}")
    command = [sys.executable, "-m", "regard.training.launch", str(devices), module, *arguments]
    remove_leftovers(Path(tempfile.gettempdir()))
    prefix = temporary_name("regard-logs").removesuffix("tmp")
    with graceful() as request, tempfile.TemporaryDirectory(".tmp", prefix) as logs:
        environment = {**os.environ, CHILD: logs, PARENT: str(os.getpid())}
        agent = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            passed_on = False
            while agent.poll() is None:
                if request.number is not None and not passed_on:
                    agent.send_signal(request.number)
                    passed_on = True
                time.sleep(0.05)
            return agent.returncode if agent.returncode >= 0 else 128 - agent.returncode
        finally:
            # Its children end with it; see `orphans`.
            agent.kill()
            agent.wait()


def _agent(devices: int, module: str, arguments: Sequence[str], logs: Path) -> int:
    """Be torchrun: start the processes, watch them, say which failed."""
    launcher = die_with_parent(signal.SIGTERM)
    try:
        return _torchrun(devices, module, arguments, logs)
    finally:
        if os.getppid() != launcher:  # Who would have removed them is no more.
            shutil.rmtree(logs, ignore_errors=True)


def _torchrun(devices: int, module: str, arguments: Sequence[str], logs: Path) -> int:
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable(logging.CRITICAL)
    os.environ[PARENT] = str(os.getpid())
    quiet = ",".join(f"{rank}:3" for rank in range(1, devices)) or "0"
    options = ["--standalone", f"--nproc-per-node={devices}", f"--log-dir={logs}"]
    try:
        run(parse_args([*options, f"--redirects={quiet}", "--module", module, *arguments]))
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        code = failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
        # The first one speaks for itself, unless it was killed.
        if rank or failure.exitcode < 0:
            sys.stderr.write(f"regard: rank {rank} ended with code {code}{_last(logs, rank)}\n")
        return code
    return 0


def _last(logs: Path, rank: int) -> str:
    """The last line that a process wrote to its error stream."""
    lines = [
        line
        for path in logs.glob(f"*/attempt_0/{rank}/stderr.log")
        for line in path.read_text(errors="replace").splitlines()
        if line.strip()
    ]
    return f": {lines[-1].removeprefix('regard: ')}" if lines else ""


if __name__ == "__main__":
    sys.exit(_agent(int(sys.argv[1]), sys.argv[2], sys.argv[3:], Path(os.environ[CHILD])))
