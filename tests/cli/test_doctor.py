"""`regard doctor` finds what is there, names what is broken with its fix, and never breaks."""

import json
import tomllib
from copy import deepcopy
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import pytest

from regard.cli import doctor, kernels, machine


@pytest.fixture(scope="module")
def examined() -> dict[str, Any]:
    """What the doctor finds here, with no complaints about this very machine."""
    disk = {"folder": "/x", "free": 9e9, "writable": True}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "usable_cores", lambda: 1)
        patch.setattr(machine, "has_nvidia_driver", lambda: False)
        patch.setattr(machine, "memory", lambda: {"total": 8e9, "available": 4e9})
        patch.setattr(machine, "disk", lambda: disk)
        patch.setattr(machine, "compilers", lambda: {"c++": "/usr/bin/g++", "triton": None})
        return doctor.examine()


@pytest.fixture
def healthy(examined: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(machine, "has_nvidia_driver", lambda: False)
    return deepcopy(examined)


def test_a_healthy_machine_has_no_problem(healthy: dict[str, Any]) -> None:
    assert healthy["problems"] == []
    assert doctor.doctor_text(healthy).endswith("no problem found")


def test_each_kind_of_call_is_tried_on_the_backend_that_serves_it(healthy: dict[str, Any]) -> None:
    served = {tried["call"]: tried["backend"] for tried in healthy["kernels"]}
    assert list(served) == ["plain", "causal", "window", "padding", "additive", "sparsemax"]
    assert served["plain"] in ("sdpa", "blocked") and served["window"] in ("banded", "blocked")
    assert all(tried["error"] is None for tried in healthy["kernels"])


def test_json_is_one_object(capsys: pytest.CaptureFixture[str], healthy: dict[str, Any]) -> None:
    assert doctor.run(json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == set(healthy) and told["versions"]["torch"].startswith("2.")


def test_the_extras_are_those_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wanted = {name: [each.split(">=")[0] for each in needs] for name, needs in
              project["optional-dependencies"].items() if name not in ("all", "dev")}  # fmt: skip
    assert {name: list(needs) for name, needs in machine.EXTRAS.items()} == wanted
    assert list(machine.CORE) == [each.split(">=")[0] for each in project["dependencies"]]


def test_an_extra_that_is_missing_comes_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(machine, "version", version)
    assert machine.extras()["train"] == 'not installed; pip install "regard[train]"'


@pytest.mark.parametrize("missing", machine.CORE)
def test_a_core_package_that_is_missing_is_essential(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known = machine.versions() | {missing: None}
    monkeypatch.setattr(machine, "versions", lambda: known)
    monkeypatch.setattr(kernels, "kernels", lambda device: [])
    assert doctor.run(json=False) == 1
    printed = capsys.readouterr().out
    assert f"problem: {missing} is not installed\n  fix: pip install {missing}" in printed


def test_a_broken_pytorch_is_a_finding_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> None:
        raise OSError("libtorch_cpu.so: cannot open shared object file\nmore")

    monkeypatch.setattr(machine, "import_module", broken)
    monkeypatch.setattr(doctor, "import_module", broken)
    assert doctor.run(json=False) == 1
    printed = capsys.readouterr().out
    assert "problem: torch is broken: OSError: libtorch_cpu.so" in printed
    assert "Traceback" not in printed and "more" not in printed.splitlines()


@pytest.mark.parametrize(
    "probe", ["versions", "broken", "extras", "cpu", "memory", "disk", "compilers"]
)
def test_a_probe_that_fails_is_reported_and_the_others_go_on(
    probe: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(machine, probe, fail)
    monkeypatch.setattr(kernels, "kernels", lambda device: [])
    assert doctor.run(json=False) == 0
    assert f"the probe of {probe} failed: RuntimeError: no" in capsys.readouterr().out


@pytest.mark.parametrize(("call", "essential"), [("plain", True), ("sparsemax", False)])
def test_a_kernel_that_fails_is_a_problem(
    call: str, essential: bool, healthy: dict[str, Any]
) -> None:
    for tried in healthy["kernels"]:
        if tried["call"] == call:
            tried["error"] = "RuntimeError: boom"
    (problem,) = doctor.problems(healthy, {})
    assert problem["essential"] is essential and "boom" in problem["what"]


def test_a_kernel_that_raises_or_gives_nan_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "attention", lambda q, k, v, **parts: q * float("nan"))
    assert all("not finite" in tried["error"] for tried in kernels.kernels("cpu"))

    def fail(*tensors: object, **parts: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(kernels, "attention", fail)
    assert all(tried["error"] == "RuntimeError: boom" for tried in kernels.kernels("cpu"))


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("compilers", {"c++": None}, "no C++ compiler"),
        ("disk", {"folder": "/x", "free": 1e9, "writable": True}, "only 1 GB are free at /x"),
        ("disk", {"folder": "/x", "free": 9e9, "writable": False}, "/x cannot be written"),
        ("memory", {"available": 5e8}, "only 0.5 GB of memory"),
        ("cpu", {"usable_cores": 64}, "of 64 cores"),
    ],
)
def test_what_the_machine_lacks_is_a_note_with_its_fix(
    part: str, value: dict[str, Any], said: str, healthy: dict[str, Any]
) -> None:
    (problem,) = doctor.problems(healthy | {part: value}, {})
    assert said in problem["what"] and problem["fix"] and not problem["essential"]


def test_an_old_pytorch_is_essential(healthy: dict[str, Any]) -> None:
    versions = healthy["versions"] | {"torch": "2.9.1+cu128"}
    (problem,) = doctor.problems(healthy | {"versions": versions}, {})
    assert problem["essential"] and "2.9.1" in problem["what"]


def test_a_driver_without_a_gpu_in_pytorch_is_a_note(
    healthy: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "has_nvidia_driver", lambda: True)
    (problem,) = doctor.problems(healthy, {})
    assert "PyTorch sees no GPU" in problem["what"]
