"""Real `regard` processes that start in no time: forks of one that has imported everything.

Run as a script it is that process: it reads requests as lines of JSON and answers each with one.
"""

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.patience import until
from tests.training.operations import die_at, fail_from, signal_at

ROOT = Path(__file__).parents[2]
TINY = (
    *("--batch", "96", "--threads", "1"),
    *("--set", "tokens=characters", "--set", "layers=1", "--set", "embed_dim=16"),
    *("--set", "ff_dim=16", "--set", "num_heads=2", "--set", "evaluate_every=5"),
)
"""What makes a run on the pairs of `write_pairs` as small as can be."""


def write_pairs(folder: Path, count: int = 60) -> Path:
    """Words and the same words reversed, one pair to a line."""
    words = [f"{n * 7919 % 1000:b}".replace("0", "a").replace("1", "b") for n in range(count)]
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{w}c{n % 7}\t{n % 7}c{w[::-1]}\n" for n, w in enumerate(words)))
    return path


class Run:
    """One process; what it writes on both streams is in `log`."""

    def __init__(self, warm: "Warm", pid: int, log: Path) -> None:
        self.warm, self.pid, self.log = warm, pid, log

    def wait(self) -> int:
        """The exit code, or minus the signal that killed it; fails when it does not end."""
        try:
            until(self.has_ended)
        except AssertionError:
            os.killpg(self.pid, signal.SIGKILL)
            raise AssertionError(f"it does not end:\n{self.text}") from None
        return self.warm.ask({"wait": self.pid})["code"]

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def has_ended(self) -> bool:
        return _state(self.pid) in ("Z", "")

    def until(self, seen: Callable[[], Any]) -> Any:
        """Wait until something is seen, and return it."""
        try:
            return until(seen, self.has_ended)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.text}") from None

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def children(self) -> list[int]:
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []


class Warm:
    """Starts processes; `ask` is one request to the process that is forked."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.training.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        )
        self.count = 0

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, folder: Path, *arguments: str, **how: Any) -> Run:
        """Start `regard ARGUMENTS` in a folder.

        Args:
            how: `largest_file` in bytes, `deaf` to give it an output that nobody reads,
                `environment` to set for it, `die_at` a change of the folder to end before,
                `fail_from` a change and the error of all from there on, `signal_at` a step and the
                signals that it sends itself then: when others do, it may have ended.
        """
        self.count += 1
        log = folder / f"log-{self.count}.txt"
        request = {"run": arguments, "folder": str(folder), "log": str(log), **how}
        return Run(self, self.ask(request)["pid"], log)

    def run(self, folder: Path, *arguments: str, **how: Any) -> tuple[int, str]:
        """Start it, wait, and return exit code and output."""
        run = self.start(folder, *arguments, **how)
        return run.wait(), run.text

    def train(self, folder: Path, *arguments: str, **how: Any) -> tuple[int, str]:
        """Train as small as can be in `folder/run`."""
        return self.run(folder, *training(*arguments), **how)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def training(*arguments: str) -> Sequence[str]:
    """The arguments that train as small as can be into `run`, on `pairs.tsv` or other data."""
    data = () if "--data" in arguments else ("--data", "pairs.tsv")
    return ("train", *data, *TINY, "--out", "run", *arguments)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _become(request: dict[str, Any]) -> int:
    """In a fork: be a `regard` process."""
    from regard.cli import main

    os.setsid()
    os.chdir(request["folder"])
    os.environ.update(PYTHONPATH=str(ROOT), TORCH_ELASTIC_SHUTDOWN_TIMEOUT="5")
    sys.argv = ["regard", *request["run"]]
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 2)
    if request.get("deaf"):
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        os.close(writer)
    else:
        os.dup2(log, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(request.get("environment", {}))
    tempfile.tempdir = None  # The process that this is forked from may know another one.
    if "die_at" in request:
        die_at(request["die_at"], Path(request["folder"]), Path(request["log"] + ".changes"))
    if "fail_from" in request:
        fail_from(*request["fail_from"], Path(request["folder"]))
    if "signal_at" in request:
        signal_at(*request["signal_at"])
    if size := request.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    signal.set_wakeup_fd(-1)
    return main(request["run"])


def _serve() -> None:
    import datasets  # noqa: F401
    import sacrebleu.tokenizers.tokenizer_13a  # noqa: F401
    import tokenizers  # noqa: F401

    import regard.cli.predict
    import regard.cli.train
    import regard.view.report  # noqa: F401
    from regard.models import model_class
    from regard.tasks import TASKS, task_class
    from tests.forked import import_all

    import_all()
    model_class("transformer")
    for task in TASKS:
        task_class(task)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            status = os.waitpid(request["wait"], 0)[1]
            answer = {"code": os.waitstatus_to_exitcode(status)}
        else:
            pid = os.fork()
            if not pid:
                code: Any = 70
                try:
                    code = _become(request)
                except SystemExit as leaving:
                    code = leaving.code
                except BaseException:
                    sys.excepthook(*sys.exc_info())
                finally:
                    atexit._run_exitfuncs()
                    sys.stdout.flush()
                    sys.stderr.flush()
                    os._exit(code if isinstance(code, int) else 1)
            answer = {"pid": pid}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
