"""What is measured is right, is compared with what it should be, and says why where it is not."""

import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard.benching import attention_case, bench, judging, measuring, timing
from regard.benching.bench import Bench
from regard.benching.case import Errors, Work
from regard.benching.floor import Limits
from regard.benching.mechanism import Mechanism, combined
from regard.benching.sizes import Sizes
from regard.benching.table import as_text, remarks
from regard.parts import ROLES
from regard.vision import BLOCKS

SMALL = Sizes(batch=2, heads=4, kv_heads=2, width=8)


@pytest.fixture(autouse=True)
def known_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no product and no copy: the floor is as of a machine of round numbers."""
    monkeypatch.setattr(bench, "measured", lambda dtype, device: Limits(1e11, 1e10))


def rows_of(*names: str, **more: Any) -> list[measuring.Row]:
    return regard.bench(*names, **{"lengths": [24], "sizes": SMALL, "seconds": 0.02} | more).rows


PARTS = [
    *(f"{name}(8)" if name in ("top_k", "prefix") else name for name in ROLES["normalizer"]),
    *(name for name in ROLES["score"]),
    *("alibi", "relative_bias", "soft_cap(5)", "chain(alibi, soft_cap(5))"),
    *("causal", "sliding_window(3, 2)", "block(4)", "prefix(8)", "causal & block(4)"),
]


def test_every_part_can_be_measured_forward_and_backward() -> None:
    for row in rows_of(*PARTS, backward=True, seconds=1):
        assert not row.fault and not row.wrong, row
        assert row.seconds is not None and row.seconds > 0, row
        assert row.floor_seconds is not None and row.floor_seconds > 0, row
        assert row.rival in ("SDPA", "reference") and row.ratio is not None, row
        assert (row.error is None) == (row.mechanism == "gumbel_softmax"), row


def test_every_block_of_pictures_can_be_measured() -> None:
    of_frames = {"divided_space_time", "frame", "joint_space_time", "temporal"}
    for row in rows_of(*BLOCKS, lengths=[36], sizes=Sizes(heads=4, width=8)):
        assert (row.seconds is None) == (row.mechanism in of_frames), row


def test_names_belong_to_one_role_each() -> None:
    names = [name for table in (*ROLES.values(), BLOCKS) for name in table]
    assert len(names) == len(set(names))


def test_a_wrong_kernel_is_found_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention_case.attention

    def wrong(query: Tensor, key: Tensor, value: Tensor, **parts: Any) -> Tensor:
        output = right(query, key, value, **parts)
        return output if parts["backend"] == "reference" else output * (1 + 1e-4)

    monkeypatch.setattr(attention_case, "attention", wrong)
    (row,) = rows_of("causal")
    assert row.wrong and row.seconds is None and "times the naive error" in row.fault


def test_a_wrong_gradient_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention_case.attention

    def wrong(query: Tensor, key: Tensor, value: Tensor, **parts: Any) -> Tensor:
        if parts["backend"] != "reference":
            value = value + 1e-3 * (value - value.detach())
        return right(query, key, value, **parts)

    monkeypatch.setattr(attention_case, "attention", wrong)
    forward, backward = rows_of("causal", backward=True)
    assert not forward.wrong and backward.wrong


def test_nan_is_wrong() -> None:
    one = torch.ones(2, 2)
    found = judging._error(one * math.nan, one.double(), one)
    assert judging.is_wrong(found, gradient=True) and not judging.is_wrong(Errors(0.0, 0.0), True)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_every_dtype_is_held_to_its_own_rounding(dtype: str) -> None:
    for row in rows_of("scaled_dot", "additive + causal", "sparsemax", backward=True,
                       sizes=Sizes(heads=2, width=8, dtype=dtype)):  # fmt: skip
        assert not row.fault, row


def test_one_query_against_many_keys_is_a_call_too() -> None:
    (row,) = rows_of("causal", sizes=Sizes(heads=2, width=8, queries=1))
    assert row.seconds is not None and not row.wrong


def test_the_floor_counts_permitted_pairs_alone() -> None:
    causal, plain = rows_of("causal", "scaled_dot", lengths=[512])
    assert causal.floor_seconds is not None and plain.floor_seconds is not None
    assert causal.floor_seconds / plain.floor_seconds == pytest.approx(0.5, abs=0.01)
    assert Limits(10.0, 5.0).floor(Work(20.0, 5.0)) == 2.0
    assert Limits(10.0, 5.0).floor(Work(20.0, 50.0)) == 10.0


def test_what_would_not_fit_or_never_end_is_told_and_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "available_bytes", lambda device: 100_000)
    small, large = rows_of("sparsemax", lengths=[8, 512], seconds=1)
    assert small.seconds is not None and "does not fit into memory" in large.fault
    monkeypatch.setattr(measuring, "available_bytes", lambda device: None)
    (slow,) = rows_of("additive", lengths=[2048], seconds=0.01)
    assert slow.seconds is None and "takes too long" in slow.fault


def test_peak_memory_is_what_the_process_grows_by() -> None:
    def hold() -> None:
        first = torch.ones(1 << 22)
        (first + 1).sum()

    peak = timing.peak_bytes(hold, "cpu")
    assert peak is None or 1.9 * (1 << 24) <= peak <= 2.2 * (1 << 24)


def test_sides_take_turns_and_each_is_run() -> None:
    order: list[str] = []
    sides = [lambda name=name: order.append(name) for name in "ab"]
    assert all(seconds >= 0 for seconds in timing.medians(sides, 0.0, "cpu"))
    assert set(order) == {"a", "b"}


def test_every_combination_of_what_is_given_is_measured_once() -> None:
    given = {"mask": ["causal", "prefix(4)"], "backend": ["sdpa", "chunked"]}
    assert [str(one) for one in combined([], given)] == [
        "causal on sdpa", "causal on chunked", "prefix(4) on sdpa", "prefix(4) on chunked",
    ]  # fmt: skip
    assert combined(["sparsemax", "sparsemax"]) == [Mechanism(normalizer="sparsemax")]
    assert combined(["causal"], {"mask": ["block(2)"]}) == [Mechanism(mask="causal")]
    assert combined([], {"score": ["general"]}) == [Mechanism(score="general")]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("addtive", "did you mean additive"),
        ("causal + block(2)", "names two of one kind, causal and block(2)"),
        ("se + causal", "joins the block se with parts"),
        ("512", "is not a name with arguments"),
        ("", "is not a name with arguments"),
        ("causal +", "is not a name with arguments"),
        ("entmax(1,2,3)", "it takes alpha"),
    ],
)
def test_names_that_mean_nothing_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        Mechanism.of(text)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"batch": 0}, "batch must be a whole number from 1, got 0"),
        ({"width": True}, "width must be a whole number from 1, got True"),
        ({"heads": 4, "kv_heads": 3}, "4 heads are no multiple of 3 kv_heads"),
        ({"dtype": "float31"}, "did you mean float32"),
        ({"device": "tpu"}, "there is no device 'tpu'"),
    ],
)
def test_sizes_that_make_no_call_are_refused(sizes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError) as caught:
        Sizes(**sizes)
    assert why in str(caught.value)


@pytest.mark.parametrize("lengths", [[], [0], [1 << 40], [True]])
def test_lengths_that_make_no_call_are_refused(lengths: list[Any]) -> None:
    with pytest.raises(ValueError, match="length"):
        regard.bench("causal", lengths=lengths)


@pytest.fixture(scope="module")
def found() -> Bench:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "measured", lambda dtype, device: Limits(1e11, 1e10))
        names = ("causal", "additive + soft_cap(5)", "se", "softmax on banded")
        return regard.bench(*names, lengths=[16, 64], sizes=SMALL, backward=True, seconds=0.1)


def test_the_table_has_every_pass_and_the_reasons_below(found: Bench) -> None:
    said = as_text(found)
    for word in ("causal", "additive + soft_cap(5)", "+ backward", "SDPA", "reference", "floor"):
        assert word in said
    assert said.splitlines()[0].split()[:3] == ["length", "mechanism", "pass"]
    (reason,) = (line for line in remarks(found) if line.startswith("softmax on banded at 16, 64:"))
    assert "cannot serve this call" in reason and str(found) == said


def test_a_busy_machine_is_told_where_the_wall_is_the_clock(found: Bench) -> None:
    busy = found.machine | {"load": 9.0, "cores": 2, "threads": 2}
    said = remarks(replace(found, machine=busy))
    assert any(line.startswith("the machine is busy: load 9.0 on 2 cores") for line in said)
    for calm in (busy | {"load": 0.5}, busy | {"threads": 1}, busy | {"load": None}):
        assert not any("busy" in line for line in remarks(replace(found, machine=calm)))


def test_json_holds_every_number(found: Bench, tmp_path: Path) -> None:
    told = json.loads(found.json())
    assert {row["mechanism"] for row in told["rows"]} >= {"causal", "se"}
    assert told["limits"] == {"flops": 1e11, "bytes": 1e10}
    assert told["sizes"]["kv_heads"] == 2 and told["machine"]["torch"] == torch.__version__


def test_the_chart_is_one_svg_with_a_panel_for_each_number(found: Bench) -> None:
    root = ET.fromstring(found.svg())
    words = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    for title in ("forward, time", "forward + backward, time", "forward + backward, error"):
        assert title in words
    drawn = root.iter("{http://www.w3.org/2000/svg}circle")
    assert all(float(each.get("cx", "nan")) >= 0 for each in drawn)
    nothing = Bench([], found.sizes, found.machine, found.limits)
    with pytest.raises(ValueError, match="nothing was measured"):
        nothing.svg()
