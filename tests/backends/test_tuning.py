"""A machine's own rates: measured, kept, believed only where they are whole and of this machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import regard
from regard._backends import _machine, _memo, _plan, _rates, _tuning
from regard._backends._rates import Rates, rates_of_cpu
from regard._io.manifest import seal

NAMES = tuple(Rates.__dataclass_fields__)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REGARD_CACHE", str(tmp_path / "cache"))
    rates_of_cpu.cache_clear()
    _memo.forget()
    yield tmp_path / "cache"
    rates_of_cpu.cache_clear()
    _memo.forget()


def numbers(**changed: object) -> dict[str, dict[str, object]]:
    one = {**dict.fromkeys(NAMES, 1e9), "step": 1e-6, **changed}
    return {name: dict(one) for name in ("float32", "float64", "bfloat16", "float16")}


def test_what_is_kept_is_what_is_planned_with(own_folder: Path) -> None:
    assert _machine.measured(NAMES) == {}
    path = _machine.keep(numbers(matmul=7e9))  # type: ignore[arg-type]
    assert path == _tuning.where() and path.parent == own_folder
    rates_of_cpu.cache_clear()
    assert rates_of_cpu()[torch.float32].matmul == 7e9


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"{}", b'"rates"', b"null",
        json.dumps({"machine": {}, "rates": {}}).encode(),
        seal({"machine": {"cpu": "another"}, "rates": numbers()}),
        seal({"machine": _machine.identity(), "rates": numbers(step=-1.0)}),
        seal({"machine": _machine.identity(), "rates": numbers(step="fast")}),
        seal({"machine": _machine.identity(), "rates": numbers(more=1.0)}),
        seal({"machine": _machine.identity(), "rates": {"float32": {"step": 1.0}}}),
        seal({"machine": _machine.identity(), "rates": {"nn": numbers()["float32"]}}),
        seal({"machine": _machine.identity(), "rates": [1]}),
        seal({"machine": _machine.identity()}),
        seal({"machine": _machine.identity(), "rates": numbers()}).replace(b"1e-06", b"2e-06"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_told_once_and_not_used(content: bytes) -> None:
    path = _tuning.where()
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="are not used, because .*regard bench --tune"):
        assert rates_of_cpu()[torch.float32].step < 1e-4
    x = torch.randn(1, 2, 8, 16)
    assert regard.plan(x, x, x).backend == "sdpa"  # and no second warning


def test_a_folder_in_the_place_of_the_file_is_told_too() -> None:
    _tuning.where().mkdir(parents=True)
    with pytest.warns(UserWarning, match="are not used"):
        rates_of_cpu()


def test_the_users_cache_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGARD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert _tuning.where().parent == Path("/somewhere/regard")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert _tuning.where().parent == Path("/home/me/.cache/regard")


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_folder_that_cannot_be_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGARD_CACHE", "/proc/none")
    with pytest.raises(OSError):
        _machine.keep(numbers())  # type: ignore[arg-type]


@pytest.mark.parametrize("tiles", [0.0, 3e11])
def test_rates_are_found_from_the_seconds_they_predict(
    tiles: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    known = Rates(2e-6, 1e11, 2e9, 9e10, 2.5e9, 4.0, tiles, tiles / 60, 1.2)
    monkeypatch.setattr(_tuning, "training_ratio", lambda dtype: known.training)
    monkeypatch.setattr(_tuning, "matmul_rate", lambda dtype: known.matmul)
    monkeypatch.setattr(_tuning, "rates_of_cpu", lambda: {torch.float32: known})
    rows = []
    for name, call in _tuning.calls(torch.float32):
        backends = {
            each: one.seconds(call, known)  # type: ignore[arg-type]
            for each in _plan.candidates(call)
            if (one := _plan.BACKENDS[each]).seconds is not None
        }
        rows.append(_tuning.Timed(name, call, backends, min(backends, key=backends.__getitem__)))
    assert {"blocked", "chunked", "sdpa", "sparse"} <= {
        each for row in rows for each in row.seconds
    }
    found = _tuning.fitted(rows, torch.float32)
    for unit in NAMES:
        assert getattr(found, unit) == pytest.approx(getattr(known, unit), rel=0.02), unit


@pytest.mark.parametrize(
    ("kind", "backend"), [("CentaurHauls AVX2", "blocked"), ("aarch64 DEFAULT", "sdpa")]
)
def test_loops_are_chosen_unmeasured_where_half_the_rate_is_enough(
    kind: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(_machine, "kind", lambda: kind)
    x = torch.randn(2, 8, 512, 64)
    assert regard.plan(x, x, x).backend == "sdpa"
    assert regard.plan(x, x, x, dropout=0.1).backend == backend


def test_a_backward_pass_to_come_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    even = Rates(2e-6, 1e11, 2e9, 1e11, 2e9, 4.0, 9e10, 2e9, training=1.5)
    monkeypatch.setattr(_rates, "rates_of_cpu", lambda: {torch.float32: even})
    x = torch.randn(2, 8, 512, 64)
    assert regard.plan(x, x, x).backend == "sdpa"
    assert regard.plan(x, x, x.clone().requires_grad_()).backend == "blocked"


@pytest.mark.slow
def test_a_machine_is_measured_in_the_time_it_is_given(own_folder: Path) -> None:
    told: list[str] = []
    threads = torch.get_num_threads()
    path = _tuning.tune(4.0, told.append)
    assert torch.get_num_threads() == threads
    assert path.exists() and len(told) == 4 and all("GFLOP/s" in line for line in told)
    rates = rates_of_cpu()
    assert set(rates) == set(_tuning.DTYPES)
    for one in rates.values():
        assert 1e-7 < one.step < 1e-3 and one.matmul > 1e8 and one.together >= 1
