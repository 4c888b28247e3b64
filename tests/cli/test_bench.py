"""`regard bench` prints what it measured, writes where it is asked to, and knows typing errors."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from regard.benching import attention_case, bench
from regard.benching.floor import Limits
from regard.cli import bench as verb
from regard.cli import main

QUICK = ["--lengths", "16", "--heads", "2", "--width", "8", "--seconds", "0.2"]


@pytest.fixture(autouse=True)
def known_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measured", lambda dtype, device: Limits(1e11, 1e10))


def test_a_table_a_file_of_numbers_and_a_chart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers, chart = tmp_path / "bench.json", tmp_path / "bench.svg"
    call = ["bench", "causal", "cbam", *QUICK, "--json", str(numbers), "--chart", str(chart)]
    assert main(call) == 0
    said = capsys.readouterr().out
    assert "causal" in said and "SDPA" in said and str(chart) in said
    assert [row["mechanism"] for row in json.loads(numbers.read_text())["rows"]] == [
        "causal", "cbam",
    ]  # fmt: skip
    assert chart.read_text().startswith("<svg")


def test_options_that_are_given_again_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    backends = ["--backend", "sdpa", "--backend", "chunked"]
    assert main(["bench", "--mask", "causal", *backends, "--backward", *QUICK]) == 0
    said = capsys.readouterr().out
    assert "causal on sdpa" in said and "causal on chunked" in said and "+ backward" in said


def test_what_is_wrong_or_cannot_be_served_is_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["bench", "softmax on banded", *QUICK]) == 1
    assert "cannot serve this call" in capsys.readouterr().out
    right = attention_case.attention

    def wrong(*tensors: Any, **parts: Any) -> torch.Tensor:
        return right(*tensors, **parts) * (1.0 if parts["backend"] == "reference" else 1.001)

    monkeypatch.setattr(attention_case, "attention", wrong)
    assert main(["bench", "causal", *QUICK]) == 1
    assert "causal at 16: wrong by" in capsys.readouterr().out


def test_threads_are_those_of_before_afterwards() -> None:
    before = torch.get_num_threads()
    assert main(["bench", "causal", *QUICK, "--threads", "2"]) == 0
    assert torch.get_num_threads() == before


def test_the_machine_is_tuned_for_the_planner(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def tune(seconds: float = 60.0, told: Callable[[str], None] = print) -> Path:
        asked.append(seconds)
        told("float32: 74 GFLOP/s")
        return Path("/cache/rates.json")

    tuning = SimpleNamespace(tune=tune)
    monkeypatch.setattr(verb, "import_module", lambda name: tuning)
    assert main(["bench", "--tune"]) == 0 and main(["bench", "--tune", "--seconds", "5"]) == 0
    said = capsys.readouterr().out
    assert asked == [60.0, 5.0] and "float32: 74 GFLOP/s\nrates: /cache/rates.json\n" in said


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["addtive"], "did you mean additive"),
        (["entmaxx(1.5)"], "did you mean entmax"),
        (["cbma"], "did you mean cbam"),
        (["--mask", "causl"], "there is no mask 'causl': did you mean causal"),
        (["--normalizer", "additive"], "there is no normalizer 'additive'"),
        (["--backend", "sdap"], "did you mean sdpa"),
        (["--lengths", "12,x"], "a whole number from 1, got 'x'"),
        (["--lengths", "1e9"], "more than"),
        (["--kv-heads", "3"], "8 heads are no multiple of 3 kv_heads"),
        (["--dtype", "flaot32"], "did you mean float32"),
        (["--device", "tpu"], "there is no device 'tpu'"),
        (["--thread", "2"], "did you mean --threads"),
        (["--chart", "no/x.svg"], "--chart no/x.svg cannot be written: there is no folder no"),
        (["--json", "."], "--json . cannot be written: it is a folder"),
        (["--json", "/dev/null"], "--json /dev/null cannot be written: it is no file"),
        (["additive + general"], "names two of one kind"),
        (["--tune", "additive"], "--tune measures the machine, not mechanisms: leave additive out"),
        (["--tune", "--mask", "causal"], "leave causal out"),
        (["--threads", "100000"], "give at most"),
        (["sparsemax on chunkd"], "did you mean chunked"),
        (["--tuen"], "did you mean --tune"),
        (["additive(hidden_dim=9999999999)"], "at most 16,777,216"),
    ],
)
def test_a_wrong_call_gets_a_sentence(
    arguments: list[str],
    why: str,
    mistake: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert why in mistake("bench", *arguments)
