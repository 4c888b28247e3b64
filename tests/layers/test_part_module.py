"""Whoever holds a part owns its tensors: it trains, moves and saves them."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard.layers import (
    Attend,
    AttentionPool,
    CrossAttention,
    HardPool,
    Level,
    MultiHeadAttention,
    SelfAttention,
)
from regard.layers.part_module import own, unwrapped
from regard.masks import Causal, Dense, Document, Padding, Prefix
from regard.normalizers import GumbelSoftmax, LocalGaussian, Softmax, divide_by_sum, softmax
from regard.score_mods import Bias, Chain, RelativeBias, SoftCap
from regard.scores import Additive, Cosine, FeatureMapDot, ScaledDot
from tests.one_by_one import all_in_one

BATCH, LENGTH, WIDTH, HEADS = 3, 4, 8, 2


def learned(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.rand(shape) + 0.5)


def permitted() -> Tensor:
    return torch.tensor([[True, True, False, True]] * LENGTH)


def positive() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.Softplus())


# The parts of a call, and the keys under which their tensors are saved.
PARTS: dict[str, tuple[Callable[[], dict[str, Any]], list[str]]] = {
    "ScaledDot": (lambda: {"score": ScaledDot(learned())}, ["score.scale"]),
    "Cosine": (lambda: {"score": Cosine(learned())}, ["score.temperature"]),
    "FeatureMapDot": (
        lambda: {"score": FeatureMapDot(positive()), "normalizer": divide_by_sum},
        ["score.feature_map.0.weight", "score.feature_map.0.bias"],
    ),
    "Bias": (lambda: {"score_mod": Bias(learned(HEADS, LENGTH, LENGTH))}, ["score_mod.tensor"]),
    "Bias, not learned": (
        lambda: {"score_mod": Bias(torch.randn(LENGTH, LENGTH))},
        ["score_mod.tensor"],
    ),
    "SoftCap": (lambda: {"score_mod": SoftCap(learned())}, ["score_mod.cap"]),
    "Chain": (
        lambda: {"score_mod": Chain(SoftCap(learned()), Bias(learned(LENGTH, LENGTH)))},
        ["score_mod.mods.0.cap", "score_mod.mods.1.tensor"],
    ),
    "Chain with a module": (
        lambda: {"score_mod": Chain(RelativeBias(HEADS), SoftCap(3.0))},
        ["score_mod.mods.0.weight"],
    ),
    "Softmax": (lambda: {"normalizer": Softmax(learned())}, ["normalizer.temperature"]),
    "GumbelSoftmax": (
        lambda: {"normalizer": GumbelSoftmax(learned(), seed=3)},
        ["normalizer.tau"],
    ),
    "LocalGaussian": (
        lambda: {"normalizer": LocalGaussian(learned(BATCH, HEADS, LENGTH), learned())},
        ["normalizer.center", "normalizer.sigma"],
    ),
    "Dense": (lambda: {"mask": Dense(permitted())}, ["mask.tensor"]),
    "a bare tensor": (lambda: {"mask": permitted()}, ["mask.tensor"]),
    "Padding": (lambda: {"mask": Padding(torch.tensor([4, 2, 3]))}, ["mask.lengths"]),
    "Prefix": (lambda: {"mask": Prefix(torch.tensor([4, 2, 3]))}, ["mask.length"]),
    "Document": (
        lambda: {"mask": Document(torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]]))},
        ["mask.ids"],
    ),
    "And": (
        lambda: {"mask": Dense(permitted()) & Causal() & Padding(torch.tensor([4, 2, 3]))},
        ["mask.left.left.tensor", "mask.right.lengths"],
    ),
    "Or and Not": (
        lambda: {"mask": Causal() | ~Dense(permitted())},
        ["mask.right.inner.tensor"],
    ),
    "a module": (lambda: {"score": Additive(4, 4, 3)}, ["score.query_weight"]),
    "two of them": (
        lambda: {"score": ScaledDot(learned()), "score_mod": Bias(learned(LENGTH, LENGTH))},
        ["score.scale", "score_mod.tensor"],
    ),
}
HOLDERS: dict[str, tuple[Callable[[Attend], nn.Module], str]] = {
    "Attend": (lambda attend: attend, ""),
    "MultiHeadAttention": (lambda attend: MultiHeadAttention(WIDTH, HEADS, attend), "attend."),
    "SelfAttention": (lambda attend: SelfAttention(WIDTH, HEADS, attend), "heads.attend."),
    "CrossAttention": (lambda attend: CrossAttention(WIDTH, HEADS, attend), "heads.attend."),
}
every_part = pytest.mark.parametrize("part", PARTS)
every_holder = all_in_one("holder", HOLDERS)


def build(part: str, holder: str) -> tuple[nn.Module, list[str]]:
    """A layer that holds the part, and the names of the part's tensors in it."""
    make, names = PARTS[part]
    hold, prefix = HOLDERS[holder]
    return hold(Attend(**make())), [prefix + name for name in names]


def run(layer: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
    """The output for an input that is always the same."""
    generator = torch.Generator().manual_seed(7)
    if isinstance(layer, Attend):
        heads = torch.randn(3, BATCH, HEADS, LENGTH, 4, generator=generator).to(dtype)
        return layer(*heads)
    x = torch.randn(2, BATCH, LENGTH, WIDTH, generator=generator).to(dtype)
    return layer(x[0]) if isinstance(layer, SelfAttention) else layer(x[0], x[1])


@every_part
@every_holder
def test_every_tensor_of_a_part_is_saved_under_its_fields_name(part: str, holder: str) -> None:
    layer, names = build(part, holder)
    assert set(names) <= set(layer.state_dict())
    attend = next(child for child in layer.modules() if isinstance(child, Attend))
    for child in attend.children():
        assert repr(child).startswith(type(unwrapped(child)).__name__) or part in (
            "And",
            "Or and Not",
        )


@every_part
@every_holder
def test_a_gradient_reaches_every_parameter_of_a_part(part: str, holder: str) -> None:
    layer, _ = build(part, holder)
    output = run(layer)
    if not output.requires_grad:
        assert not list(layer.parameters())
        return
    (output * torch.randn_like(output)).sum().backward()
    # A key's bias moves all scores of a query alike, which softmax does not see.
    assert all(weight.grad is not None for weight in layer.parameters())
    assert all(
        weight.grad.abs().sum() > 0
        for name, weight in layer.named_parameters()
        if name.split(".")[-1] not in ("bias", "weight")
    )


@every_part
@every_holder
def test_a_step_of_training_changes_the_output(part: str, holder: str) -> None:
    layer, _ = build(part, holder)
    before = run(layer).detach()
    parts = [p for p in getattr(layer, "attend", layer).parameters()]
    with torch.no_grad():
        for weight in parts:
            weight.mul_(1.3).add_(0.1 * torch.randn_like(weight))
    # Softmax does not see a factor that all of a query's scores share, but none of these is one.
    assert torch.equal(run(layer), before) == (not parts)


@pytest.mark.slow
@every_part
@every_holder
def test_a_strict_state_dict_carries_the_part_over(part: str, holder: str) -> None:
    one, other = build(part, holder)[0], build(part, holder)[0]
    other.load_state_dict(one.state_dict())
    assert torch.equal(run(other), run(one))
    with torch.device("meta"):
        empty = copy.deepcopy(other).to("meta")
    empty.to_empty(device="cpu").load_state_dict(one.state_dict())
    assert torch.equal(run(empty), run(one))
    empty.load_state_dict(other.to("meta").state_dict() | one.state_dict(), assign=True)
    assert torch.equal(run(empty), run(one))


@every_part
@every_holder
def test_copies_are_equal_and_go_their_own_way(part: str, holder: str) -> None:
    layer, _ = build(part, holder)
    before = run(layer).detach()
    for made in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(run(made), before)
        assert list(made.state_dict()) == list(layer.state_dict())
        with torch.no_grad():
            for tensor in made.state_dict().values():
                tensor.zero_()
        assert torch.equal(run(layer), before)


@every_part
@every_holder
def test_a_part_moves_with_its_layer(part: str, holder: str) -> None:
    layer, names = build(part, holder)
    exact = run(layer).double()
    layer.to(torch.float64)
    assert all(
        tensor.dtype == torch.float64
        for tensor in layer.state_dict().values()
        if tensor.is_floating_point()
    )
    torch.testing.assert_close(run(layer, torch.float64), exact, rtol=0, atol=1e-5)
    layer.to("meta")
    attend = next(m for m in layer.modules() if isinstance(m, Attend))
    held = [unwrapped(p) for p in (attend.score, attend.score_mod, attend.mask, attend.normalizer)]
    again = Attend(*held)
    assert again.state_dict().keys() == attend.state_dict().keys()
    assert all(tensor.is_meta for tensor in again.state_dict().values())


@pytest.mark.slow
@every_part
@every_holder
def test_functional_call_puts_other_tensors_in_the_place_of_a_parts(part: str, holder: str) -> None:
    layer, other = build(part, holder)[0], build(part, holder)[0]
    given = {name: tensor.clone() for name, tensor in other.state_dict().items()}

    class Run(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self) -> Tensor:
            return run(self.layer)

    given = {f"layer.{name}": tensor for name, tensor in given.items()}
    before = run(layer).detach()
    found = torch.func.functional_call(Run(), given, ())
    torch.testing.assert_close(found, run(other))
    assert torch.equal(run(layer), before)


def test_the_layer_computes_what_the_part_computes() -> None:
    heads = torch.randn(3, BATCH, HEADS, LENGTH, 4)
    for make, _ in PARTS.values():
        parts = make()
        wanted = regard.attention(*heads, **parts)
        assert torch.equal(Attend(**parts)(*heads), wanted)
        wanted = regard.attention_weights(*heads[:2], **parts)
        assert torch.equal(Attend(**parts).weights(*heads[:2]), wanted)


# Holders of one part: how to build each, and where the part's tensor is then saved.
OTHERS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "AttentionPool": (
        lambda: AttentionPool(4, Attend(score=ScaledDot(learned()))),
        "attend.score.scale",
    ),
    "HardPool": (lambda: HardPool(AttentionPool(4), "gumbel"), "pool.query"),
    "HardPool over parts": (
        lambda: HardPool(AttentionPool(4, Attend(score=ScaledDot(learned())))),
        "pool.attend.score.scale",
    ),
    "Level": (
        lambda: Level(None, AttentionPool(4, Attend(normalizer=Softmax(learned())))),
        "pool.attend.normalizer.temperature",
    ),
}


@pytest.mark.parametrize("holder", OTHERS)
def test_every_other_holder_owns_the_tensors_too(holder: str) -> None:
    make, name = OTHERS[holder]
    layer = make()
    assert name in dict(layer.named_parameters())
    other = copy.deepcopy(layer)
    other.load_state_dict(layer.state_dict())
    assert str(layer)


def test_parts_without_tensors_stay_what_they_are() -> None:
    attend = Attend(ScaledDot(0.5), SoftCap(3.0), Causal() & ~Prefix(2), Softmax(2.0))
    assert not attend.state_dict() and not list(attend.children())
    assert attend.score == ScaledDot(0.5) and attend.normalizer == Softmax(2.0)
    module = Additive(4, 4, 3)
    assert own(module) is module and own(None) is None and own(softmax) is softmax


def test_a_shared_tensor_stays_shared_wherever_it_goes() -> None:
    bias = learned(LENGTH, LENGTH)
    attend = Attend(score_mod=Chain(Bias(bias), SoftCap(4.0), Bias(bias)))
    assert list(attend.state_dict()) == ["score_mod.mods.0.tensor"]
    seen = torch.ones(LENGTH, LENGTH, dtype=torch.bool)
    masked = Attend(mask=Dense(seen) | ~Dense(seen))
    for move in (
        lambda m: m.double(),
        copy.deepcopy,
        lambda m: m.to("meta").to_empty(device="cpu"),
    ):
        attend, masked = move(attend), move(masked)
        first, _, last = attend.score_mod.part.mods
        assert first.tensor is last.tensor is attend.score_mod.get_parameter("mods.0.tensor")
        assert masked.mask.part.left.tensor is masked.mask.part.right.inner.tensor


def test_the_part_is_made_again_only_when_a_tensor_is_another() -> None:
    held = own(Causal() & Dense(permitted()))
    assert held.part is held.part
    before = held.part
    assert held.part is before
    held.to("meta")
    assert held.part is not before and held.part.right.tensor.is_meta


def test_a_module_around_a_part_answers_as_the_part_does() -> None:
    bias = Bias(learned(LENGTH, LENGTH))
    held = own(bias)
    place = torch.arange(LENGTH)
    where = (place[:1, None], place[:1, None], place[:, None], place)
    scores = torch.randn(LENGTH, LENGTH)
    assert torch.equal(held(scores, *where), bias(scores, *where))
    assert held.additive and held.aligned(0).first_query == 0 and not hasattr(held, "at")
    assert repr(held) == repr(bias)
    mask = own(Dense(permitted()))
    assert not hasattr(mask, "additive")
    with pytest.raises(AttributeError, match="nothing"):
        _ = mask.nothing
    gaussian = own(LocalGaussian(learned(BATCH, HEADS, LENGTH), 1.0))
    assert gaussian.at([0], [1]).center.shape == (BATCH, 1, 1)
    assert own(mask) is mask and unwrapped(mask).tensor is mask.tensor


def test_a_parametrized_tensor_is_computed_at_every_call_and_trains() -> None:
    class Symmetric(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.triu() + x.triu(1).mT

    attend = Attend(score_mod=Bias(nn.Parameter(torch.randn(LENGTH, LENGTH))))
    torch.nn.utils.parametrize.register_parametrization(attend.score_mod, "tensor", Symmetric())
    for _ in range(2):
        bias = attend.score_mod.part.tensor
        assert torch.equal(bias, bias.mT)
        run(attend).square().sum().backward()
    assert [weight.grad.abs().sum() > 0 for weight in attend.parameters()] == [True]


@dataclass(frozen=True, eq=False)
class Table:
    """A user's part with everything in it that a part may be made of."""

    type: Tensor
    rows: list[Tensor]
    named: dict[str, Tensor]
    function: Any
    training: float = 2.0
    length: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", len(self.rows))

    def __call__(self, score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        added = sum(self.rows, self.type) + self.named["one"]
        return self.function(score) + self.training * self.length * added


def shifted(score: Tensor, by: Tensor) -> Tensor:
    return score * by


def test_any_dataclass_list_dict_and_partial_is_looked_into() -> None:
    def table() -> Table:
        shift = partial(shifted, by=learned())
        return Table(learned(), [learned(), torch.rand(1)], {"one": learned(1)}, shift)

    attend = Attend(score_mod=table())
    names = ["type_", "rows.0", "named.one", "function.keywords.by", "rows.1"]
    assert sorted(attend.state_dict()) == sorted(f"score_mod.{name}" for name in names)
    assert len(list(attend.parameters())) == 4
    (run(attend) ** 2).sum().backward()
    assert attend.score_mod.part.function.keywords["by"].grad.abs() > 0
    other = Attend(score_mod=table())
    other.load_state_dict(attend.state_dict())
    assert torch.equal(run(other), run(attend))


def test_an_object_that_nobody_could_own_is_refused() -> None:
    class Plain:
        def __init__(self) -> None:
            self.weight = learned(LENGTH, LENGTH)

        def __call__(self, score: Tensor, b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
            return score + self.weight

    with pytest.raises(TypeError, match="Plain holds tensors, but is neither a dataclass nor"):
        Attend(score_mod=Plain())


def test_the_closure_of_a_function_is_its_owners() -> None:
    bias = learned(LENGTH, LENGTH)
    attend = Attend(score_mod=lambda score, b, h, q, k: score + bias[q, k])
    assert not attend.state_dict()
    run(attend).square().sum().backward()
    assert bias.grad.abs().sum() > 0


def test_positions_and_joins_with_tensors_are_owned() -> None:
    @dataclass(frozen=True, eq=False)
    class Added:
        shift: Tensor

        def __call__(self, x: Tensor, *, offset: int) -> Tensor:
            return x + self.shift

    layer = MultiHeadAttention(WIDTH, HEADS, positions=Added(learned(4)))
    run(layer).square().sum().backward()
    assert layer.positions.shift.grad is not None
    assert "positions.shift" in layer.state_dict()


def test_a_hard_pool_learns_its_temperature() -> None:
    pool = HardPool(AttentionPool(4), "gumbel", tau=learned())
    assert list(pool.state_dict()) == ["pool.query", "gumbel.tau"] and "tau=" in repr(pool)
    found, _ = pool.forward_sampled(torch.randn(2, 5, 4))
    (found * torch.randn_like(found)).sum().backward()
    assert pool.gumbel.tau.grad.abs() > 0


def test_a_stack_of_copies_has_a_tensor_each() -> None:
    attend = Attend(score_mod=Bias(learned(LENGTH, LENGTH)))
    layers = [SelfAttention(WIDTH, HEADS, copy.deepcopy(attend)) for _ in range(2)]
    biases = [layer.heads.attend.score_mod.tensor for layer in layers]
    assert biases[0] is not biases[1] and torch.equal(biases[0], biases[1])


def test_an_offset_of_the_call_reaches_the_operator() -> None:
    attend, heads = Attend(mask=Causal()), torch.randn(3, BATCH, HEADS, LENGTH, 4)
    wanted = regard.attention(*heads, mask=Causal(), q_offset=-1)
    assert torch.equal(attend(*heads, q_offset=-1), wanted)
    wanted = regard.attention_weights(*heads[:2], mask=Causal(), q_offset=2)
    assert torch.equal(attend.weights(*heads[:2], q_offset=2), wanted)
