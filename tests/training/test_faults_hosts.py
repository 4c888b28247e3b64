"""Two hosts, as two network namespaces with a cable between them, train together."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from tests.patience import PATIENCE
from tests.training.warm import ROOT, training, write_pairs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or which("ip") is None, reason="only root makes network namespaces"
    ),
]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    names = [f"regard-{os.getpid()}-{number}" for number in range(2)]
    cables = [f"rg{os.getpid() % 100000}{end}" for end in "ab"]
    try:
        try:
            for name in names:
                ip("netns", "add", name)
        except subprocess.CalledProcessError:
            pytest.skip("not even root makes network namespaces here")
        ip("link", "add", cables[0], "type", "veth", "peer", "name", cables[1])
        for number, (name, cable) in enumerate(zip(names, cables, strict=True)):
            ip("link", "set", cable, "netns", name)
            ip("-n", name, "link", "set", cable, "name", "cable")
            ip("-n", name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_two_hosts_train_together(hosts: list[str], tmp_path: Path) -> None:
    write_pairs(tmp_path)
    started = []
    for number, host in enumerate(hosts):
        started.append(
            subprocess.Popen(
                [
                    *("ip", "netns", "exec", host, sys.executable, "-m", "torch.distributed.run"),
                    *("--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)),
                    *("--master-addr", "10.77.0.1", "--master-port", "29571", "-m", "regard"),
                    *training("--steps", "8"),
                ],
                cwd=tmp_path,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "OMP_NUM_THREADS": "1",
                    "GLOO_SOCKET_IFNAME": "cable",
                },
            )
        )
    said = [process.communicate(timeout=PATIENCE)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sum("read as translate" in text for text in said) == 1, "one process alone speaks"
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2
    assert '"finished"' in (tmp_path / "run" / "metrics.jsonl").read_text()
