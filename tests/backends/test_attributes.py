"""A backend is known by what it says of itself: one made up here is treated as it asks to be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

import regard
from regard._backends import _memo, _plan, reference
from regard._backends._call import Call, Kernel
from regard._backends._cost import Cost
from regard._backends._rates import Rates
from regard.masks import Causal
from regard.normalizers import sparsemax
from regard.scores import Bilinear, Cosine


@dataclass
class MadeUp:
    """It evaluates as the definition does, and says what a test wants it to say."""

    masks_first: bool = False
    uses_dot_form: bool = False
    first_derivative_only: bool = False
    takes_tensor_lengths: bool = False
    time: float = 0.0
    against: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ()
    served: list[Call] = field(default_factory=list)

    def refusals(self, call: Call) -> Iterator[str]:
        yield from self.against

    def reservations(self, call: Call) -> Iterator[str]:
        yield from self.reserved

    def seconds(self, call: Call, rates: Rates) -> float:
        return self.time

    def cost(self, call: Call) -> Cost:
        return Cost(1, 2, 3)

    def run(self, call: Call) -> Tensor:
        self.served.append(call)
        return reference.run(call)


Register = Callable[[str, MadeUp], MadeUp]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Put a backend last into the table, for one test."""

    def put(name: str, backend: MadeUp) -> MadeUp:
        monkeypatch.setitem(_plan.BACKENDS, name, backend)
        return backend

    for kept in (_memo._KNOWN, _memo._FASTEST):
        kept.clear()
    yield put
    for kept in (_memo._KNOWN, _memo._FASTEST):
        kept.clear()


def qkv(length: int = 6) -> list[Tensor]:
    return [torch.randn(2, 2, length, 4) for _ in range(3)]


def hiding() -> list[Tensor]:
    """Numbers that overflow in products, which all queries but the last may not see."""
    query, key, value = qkv()
    key[:, :, -1] = value[:, :, -1] = 1e38
    return [query, key, value]


@pytest.mark.parametrize(
    "parts",
    [{}, {"mask": Causal()}, {"normalizer": sparsemax}],
    ids=["plain", "mask", "normalizer"],
)
def test_the_fastest_backend_serves_without_being_named(
    parts: dict[str, Any], register: Register
) -> None:
    inputs, backend = qkv(), register("mine", MadeUp())
    plan = regard.plan(*inputs, **parts)
    assert plan.backend == "mine" and "-> mine  0 µs predicted" in str(plan)
    found = regard.attention(*inputs, **parts)
    assert len(backend.served) == 1
    assert torch.equal(found, regard.attention(*inputs, **parts, backend="reference"))


def test_a_slower_backend_serves_only_where_it_is_named(register: Register) -> None:
    inputs, backend = qkv(), register("mine", MadeUp(time=1.0))
    regard.attention(*inputs)
    assert not backend.served
    assert "(1 s predicted, 3 B peak)" in regard.plan(*inputs).refused["mine"][0]
    regard.attention(*inputs, backend="mine")
    assert len(backend.served) == 1


def test_order_breaks_ties_and_nothing_else(register: Register) -> None:
    register("first", MadeUp())
    register("second", MadeUp())
    assert regard.plan(*qkv()).backend == "first"
    register("second", MadeUp(time=-1.0))
    assert regard.plan(*qkv()).backend == "second"


def test_a_refusal_holds_however_fast_and_a_reservation_until_it_is_named(
    register: Register,
) -> None:
    inputs = qkv()
    register("never", MadeUp(against=("it is a test",)))
    backend = register("asked", MadeUp(reserved=("it is shy",)))
    plan = regard.plan(*inputs)
    assert plan.backend == "sdpa"
    assert plan.refused["never"] == ["it is a test"]
    assert plan.refused["asked"][0].endswith("but it is shy")
    with pytest.raises(regard.UnsupportedByBackend, match="it is a test"):
        regard.attention(*inputs, backend="never")
    regard.attention(*inputs, backend="asked")
    assert len(backend.served) == 1


def test_a_backend_that_masks_first_is_given_what_overflows(register: Register) -> None:
    inputs, backend = hiding(), register("mine", MadeUp(masks_first=True))
    found = regard.attention(*inputs, mask=Causal())
    assert len(backend.served) == 1
    assert found[:, :, :-1].isfinite().all()


def test_one_that_does_not_is_replaced_by_the_fastest_that_does(register: Register) -> None:
    inputs, backend = hiding(), register("mine", MadeUp())
    wanted = regard.attention(*inputs, mask=Causal(), backend="reference")
    found = regard.attention(*inputs, mask=Causal())
    torch.testing.assert_close(found, wanted, equal_nan=True)
    with pytest.raises(regard.UnsupportedByBackend, match=r"'mine'(.|\n)*'chunked' keeps them"):
        regard.attention(*inputs, mask=Causal(), backend="mine")
    register("careful", MadeUp(masks_first=True, time=1e-9))
    regard.attention(*inputs, mask=Causal())
    assert not backend.served and len(_plan.BACKENDS["careful"].served) == 1  # type: ignore[attr-defined]
    with pytest.raises(regard.UnsupportedByBackend, match="'careful' keeps them apart"):
        regard.attention(*inputs, mask=Causal(), backend="mine")


def test_no_backend_sees_a_nan_that_is_hidden(register: Register) -> None:
    query, key, value = qkv()
    backend = register("mine", MadeUp())
    value[:, :, -1] = torch.nan
    found = regard.attention(query, key, value, mask=Causal())
    (call,) = backend.served
    assert call.value.isfinite().all()
    assert found[:, :, -1].isnan().all() and found[:, :, :-1].isfinite().all()


def test_a_derivative_that_is_missing_is_refused_by_name(register: Register) -> None:
    for only in (False, True):
        register("mine", MadeUp(first_derivative_only=only))
        inputs = [x.requires_grad_() for x in qkv()]
        output = regard.attention(*inputs).square().sum()
        torch.autograd.grad(output, inputs, retain_graph=True)
        if only:
            with pytest.raises(RuntimeError, match="'mine' has no second derivative"):
                torch.autograd.grad(output, inputs, create_graph=True)
            assert "its gradient has no further derivative" in str(regard.plan(*inputs))
        else:
            torch.autograd.grad(output, inputs, create_graph=True)


def test_masks_are_recorded_by_jit_trace_on_a_backend_that_asks_no_length(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Really tracing, which the shape hook cannot, is in tests/compile/test_modes.py."""
    monkeypatch.setattr(_plan, "is_jit_traced", lambda: True)
    for takes in (False, True):
        register("mine", MadeUp(takes_tensor_lengths=takes))
        backend = regard.plan(*qkv(), mask=Causal()).backend
        assert backend == ("mine" if takes else "reference")
        assert regard.plan(*qkv()).backend == "mine"


def test_only_what_is_rewritten_is_said_to_be(register: Register) -> None:
    for rewrites in (False, True):
        register("mine", MadeUp(uses_dot_form=rewrites))
        plan = regard.plan(*qkv(), score=Cosine())
        assert plan.backend == "mine" and ("unit vectors" in plan.rewriting) == rewrites


def test_a_kernel_made_ready_is_all_that_runs_for_calls_of_one_form(register: Register) -> None:
    class Ready(MadeUp):
        kernels = 0

        def prepared(self, call: Call) -> Kernel | None:
            self.kernels += 1
            return lambda query, key, value, mask: value * 2

    inputs, backend = qkv(), register("mine", Ready())
    regard.attention(*inputs)
    for mask in (None, None, Causal(), Causal()):
        found = regard.attention(*inputs, mask=mask)
    assert torch.equal(found, inputs[2] * 2)
    assert (len(backend.served), backend.kernels) == (2, 2)  # type: ignore[attr-defined]


def test_calls_without_a_form_share_which_backend_is_the_fastest_while_it_serves(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, choose = [], _plan.choose
    monkeypatch.setattr(_plan, "choose", lambda call: planned.append(1) or choose(call))
    backend = register("mine", MadeUp())
    for _ in range(3):
        regard.attention(*qkv(), score=Bilinear(4, 4))
    assert (len(planned), len(backend.served)) == (1, 3)
    regard.attention(*qkv(7), score=Bilinear(4, 4))
    assert len(planned) == 2
    backend.against = ("no more",)
    inputs, score = qkv(), Bilinear(4, 4)
    found = regard.attention(*inputs, score=score)
    assert (len(planned), len(backend.served)) == (3, 4)
    torch.testing.assert_close(
        found, regard.attention(*inputs, score=score, backend="reference"), rtol=1e-5, atol=1e-6
    )
