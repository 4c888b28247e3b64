"""What `regard._torch_private` says of PyTorch's private names holds for the version at hand."""

import types
import warnings
from typing import Any

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
import torch.distributed as dist
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from regard import _torch_private as private

SEEN: list[Any] = []
ASKS: list[Any] = []


def _asking(tensors: Any) -> bool:
    """Ask as a function of the module whose globals it is given."""
    return ASKS[0](tensors)


def probe(x: torch.Tensor) -> torch.Tensor:
    """Write down what is said while something is at work."""
    SEEN.append(
        (private.is_traced(), private.is_transformed(), private.is_ordinary(),
         private.can_look_at(x), private.needs_definition([x]))
    )  # fmt: skip
    return (x * x).sum()


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    SEEN.clear()


def test_a_plain_call_is_ordinary() -> None:
    probe(torch.ones(3))
    assert SEEN == [(False, False, True, True, False)]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("run", "needs"),
    [
        (lambda x: torch.func.vmap(probe)(x.expand(2, 3)), True),
        (lambda x: torch.func.grad(probe)(x), False),
        (lambda x: torch.func.grad(probe)(x.clone().requires_grad_()), True),
        (lambda x: torch.func.grad(lambda y: torch.func.grad(probe)(y).sum())(x), True),
        (lambda x: torch.func.jvp(probe, (x,), (x,)), True),
        (lambda x: torch.func.hessian(probe)(x), True),
    ],
)
def test_transforms_are_noticed_with_what_they_need(run: Any, needs: bool) -> None:
    run(torch.ones(3))
    assert SEEN and all(seen == (True, True, False, False, needs) for seen in SEEN)
    SEEN.clear()
    test_a_plain_call_is_ordinary()


def test_a_transform_is_noticed_also_where_both_are_recorded() -> None:
    seen: list[bool] = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        seen.append(private.is_under_transform())
        return (x * x).sum()

    keep(torch.ones(3))
    torch.func.grad(keep)(torch.ones(3))
    assert seen == [False, True] and not private.is_under_transform()


def test_a_constant_is_marked_as_pytorch_marks_one() -> None:
    def ours() -> int: ...
    def theirs() -> int: ...

    private.constant_when_compiled(ours)
    torch.compiler.assume_constant_result(theirs)
    assert vars(ours) == vars(theirs) != {}


def test_forward_mode_is_noticed() -> None:
    with forward_ad.dual_level():
        assert private.is_forward_mode()
        probe(forward_ad.make_dual(torch.ones(3), torch.ones(3)))
    assert SEEN == [(False, False, False, True, True)]
    assert not private.is_forward_mode()


def test_modes_and_subclasses_are_not_looked_at() -> None:
    with FakeTensorMode() as mode:
        probe(torch.ones(3))
        fake = mode.from_tensor(torch.ones(3))
    with FlopCounterMode(display=False):
        probe(torch.ones(3))
    assert all(seen[0] and not seen[2] and not seen[3] for seen in SEEN)
    assert not private.can_look_at(fake) and not private.can_look_at(torch.ones(3, device="meta"))
    assert private.can_look_at(torch.nn.Parameter(torch.ones(3)))


def test_autocast_is_no_ordinary_call() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert not private.is_ordinary()
    assert private.is_ordinary()


def test_lengths_are_tensors_under_jit_trace_and_nothing_warns() -> None:
    found: list[Any] = []

    class Probe(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            length = x.shape[0]
            with private.quiet_trace():
                found.extend([private.is_jit_traced(), bool(length == 3)])
            found.extend([private.surely(length == 3), private.plain_length(length)])
            return x * 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.jit.trace(Probe(), torch.ones(3), check_trace=False)
    assert found == [True, True, False, 3]
    assert not private.is_jit_traced() and private.plain_length(3) == 3


def test_outside_of_a_graph_every_number_is_known() -> None:
    assert private.surely(3 < 5) and not private.surely(5 < 3)
    assert private.is_static(3) and private.is_static(0.5)
    assert private.likely(3) == 3 and private.likely(torch.tensor(3)) == 0


def test_a_scan_is_a_loop_also_where_a_state_has_two_names_and_is_shown() -> None:
    class Sums(torch.nn.Module):
        def forward(self, x: torch.Tensor, first: torch.Tensor) -> tuple[torch.Tensor, ...]:
            assert private.is_open(x.shape[0]) and not private.is_open(3)

            def step(state: Any, inputs: Any) -> Any:
                new = state[0] * 0.5 + inputs[0] + first.sum()
                return (new, new + state[1]), (new, state[0])

            last, given = private.scan(step, (first, first), (x,))
            return *last, *given

    x, first = torch.randn(5, 2), torch.ones(2)
    program = torch.export.export(
        Sums(), (x, first), dynamic_shapes=({0: torch.export.Dim.DYNAMIC}, None)
    )
    for steps in (1, 2, 5):
        state, total, shown = first, first, []
        for each in x[:steps]:
            new = state * 0.5 + each + first.sum()
            shown.append((new, state))
            state, total = new, new + total
        wanted = (state, total, *map(torch.stack, zip(*shown, strict=True)))
        for one, other in zip(program.module()(x[:steps], first), wanted, strict=True):
            torch.testing.assert_close(one, other)
    assert not private.is_open(5)


def test_fused_kernels_are_told_from_plain_arithmetic() -> None:
    q = torch.randn(1, 1, 4, 8, requires_grad=True)
    fused = F.scaled_dot_product_attention(q, q, q)
    assert private.is_fused_attention(fused.grad_fn)
    plain = (q @ q.mT).softmax(-1) @ q
    assert not private.is_fused_attention(plain.grad_fn)


def test_the_store_is_that_of_the_process_group() -> None:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        store = private.store_of_all_ranks()
        store.set("said", "so")
        assert store.get("said") == b"so" and store.clone().get("said") == b"so"
    finally:
        dist.destroy_process_group()


def test_a_product_of_bytes_is_summed_exactly() -> None:
    x = torch.full((1, 300), -127, dtype=torch.int8)
    weight = torch.full((2, 300), 127, dtype=torch.int8)
    weight[1, 0] = -128
    found = private.int8_product(x, weight)
    assert found.dtype == torch.int32 and found.tolist() == [
        [-127 * 127 * 300, -127 * (127 * 299 - 128)]
    ]


@pytest.mark.skipif(not private.has_prepacked_product(), reason="built without oneDNN")
@pytest.mark.parametrize("rows", [1, 5, private.MANY, private.MANY + 1])
def test_a_product_is_the_same_with_its_matrix_put_in_order(rows: int) -> None:
    x, weight, bias = torch.randn(rows, 33), torch.randn(17, 33), torch.randn(17)
    for given in (bias, None):
        found = private.prepacked_product(x, private.prepack(weight), given)
        torch.testing.assert_close(found, F.linear(x, weight, given), rtol=1e-5, atol=1e-5)


def test_hooks_are_removed_by_their_numbers() -> None:
    seen: list[str] = []
    layer = torch.nn.Linear(2, 2)
    layer.register_forward_hook(lambda *_: seen.append("behind"))
    layer.register_forward_pre_hook(lambda *_: seen.append("in front"))
    layer(torch.ones(2))
    assert seen == ["in front", "behind"]
    for hooks in (private.forward_hooks(layer), private.forward_pre_hooks(layer)):
        assert len(hooks) == 1
        del hooks[next(iter(hooks))]
    layer(torch.ones(2))
    assert len(seen) == 2


def test_leaves_of_a_graph_are_recorded_as_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.fx.Tracer, "call_module", torch.fx.Tracer.call_module)
    model, asked = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Sequential(torch.nn.SiLU())), []

    def record(tracer: torch.fx.Tracer, module: torch.nn.Module, args: tuple, kwargs: dict) -> Any:
        asked.append(type(module).__name__)
        silu = isinstance(module, torch.nn.SiLU)
        return tracer.create_proxy("call_function", torch.neg, args, kwargs) if silu else None

    private.record_leaves(record)
    graph = torch.fx.symbolic_trace(model)
    assert asked == ["ReLU", "SiLU"]
    assert graph(torch.tensor([-1.0, 2.0])).tolist() == [0.0, -2.0]


def test_several_gradients_at_once_are_told_from_one() -> None:
    x, told = torch.ones(3, requires_grad=True), []
    y = 2 * x
    y.register_hook(lambda gradient: told.append(private.is_several(gradient)))
    torch.autograd.grad(y, x, torch.ones(3), retain_graph=True)
    torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True)
    assert told == [False, True]


def test_hooks_that_only_name_are_no_reason_to_call_a_module_as_a_whole() -> None:
    layer, ran = torch.nn.Linear(2, 2), []
    assert not private.is_hooked(layer)
    enter, leave = (lambda module, args: ran.append(args)), (lambda module, args, out: None)
    with private.naming_hooks(enter, leave):
        assert not private.is_hooked(layer)
        layer(torch.ones(2))
        handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
        assert private.is_hooked(layer)
        handle.remove()
        assert not private.is_hooked(layer)
    layer(torch.ones(2))
    assert len(ran) == 1 and not torch.nn.modules.module._has_any_global_hook()


def test_a_backward_pass_is_noticed() -> None:
    found = []
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda gradient: found.append(private.is_in_backward()))
    assert not private.is_in_backward()
    x.sum().backward()
    assert found == [True] and not private.is_in_backward()


def test_autocast_says_its_type() -> None:
    assert private.autocast_dtype("cpu") is None and not private.is_any_autocast()
    with torch.autocast("cpu", torch.bfloat16):
        assert private.autocast_dtype("cpu") == torch.bfloat16 and private.is_any_autocast()


def test_a_mode_that_only_looks_overrides_nothing_for_modules() -> None:
    class Looks(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    class Elsewhere(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    class Subclass(torch.Tensor):
        pass

    asks = private.overriding(Looks)
    module = types.FunctionType(
        _asking.__code__, {"__name__": "torch.nn.modules.transformer", "ASKS": [asks]}
    )
    x = torch.ones(2)
    with Looks():
        assert asks((x,)) and not module((x,))
        assert module((x.as_subclass(Subclass),))
        assert len(torch.overrides._get_current_function_mode_stack()) == 1
        with Elsewhere():
            assert module((x,))
    assert not asks((x,)) and not module((x,))
