"""What every score modification owes. One table of all members; a new one adds one row.

A row makes a modification for a call of given sizes, and the same rule written as plain Python.
"""

import copy
import decimal
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

import regard.score_mods
from regard.score_mods import ALiBi, Bias, Chain, RelativeBias, RelativeDot, SoftCap
from tests.one_by_one import all_in_one

Rule = Callable[[float, int, int, int, int], float]
Make = Callable[[int, int, int, int], tuple[Callable[..., Tensor], Rule]]


def _alibi(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Callable[..., Tensor], Rule]:
    power = 1
    while power * 2 <= heads:
        power *= 2
    slopes = [2.0 ** (-8 * (h + 1) / power) for h in range(power)]
    slopes += [2.0 ** (-8 * (h + 1) / (2 * power)) for h in range(0, 2 * power, 2)]
    return ALiBi(heads), lambda s, b, h, q, k: s - slopes[h] * abs(q - k)


def _bias(*kept: bool) -> Make:
    def make(*sizes: int) -> tuple[Callable[..., Tensor], Rule]:
        shape = [size if keep else 1 for size, keep in zip(sizes, kept, strict=True)]
        tensor = torch.randn(shape, dtype=torch.float64)
        full = tensor.expand(sizes)
        return Bias(tensor), lambda s, *at: s + full[at].item()

    return make


def _plane(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Callable[..., Tensor], Rule]:
    tensor = torch.randn(q_len, k_len, dtype=torch.float64)
    return Bias(tensor), lambda s, b, h, q, k: s + tensor[q, k].item()


def t5_bucket(distance: int, num_buckets: int, max_distance: int, bidirectional: bool) -> int:
    """Count buckets as the T5 paper describes them, in 60 decimal digits."""
    with decimal.localcontext() as context:
        context.prec = 60
        first = 0
        if bidirectional:
            num_buckets //= 2
            first = num_buckets if distance > 0 else 0
            distance = abs(distance)
        else:
            distance = max(-distance, 0)
        exact = num_buckets // 2
        if distance < exact:
            return first + distance
        widest = (decimal.Decimal(max_distance) / exact).ln()
        ratio = (decimal.Decimal(distance) / exact).ln() / widest
        # A distance on a boundary belongs to the bucket it opens.
        step = int(ratio * (num_buckets - exact) + decimal.Decimal("1e-40"))
        return first + min(exact + step, num_buckets - 1)


def _relative(bidirectional: bool) -> Make:
    def make(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Callable[..., Tensor], Rule]:
        mod = RelativeBias(heads, 8, 5, bidirectional)
        mod.weight = nn.Parameter(torch.randn(8, heads, dtype=torch.float64))
        return (
            mod,
            lambda s, b, h, q, k: s + mod.weight[t5_bucket(k - q, 8, 5, bidirectional), h].item(),
        )

    return make


def _by_distance(distances: int, farthest: int, apart: bool = False) -> Make:
    def make(batch: int, heads: int, q_len: int, k_len: int) -> tuple[Callable[..., Tensor], Rule]:
        query = torch.randn(batch, heads, q_len, 4, dtype=torch.float64)
        own = (batch, heads) if apart else (1, 1)
        keys = torch.randn(*own, distances, 4, dtype=torch.float64)

        def rule(score: float, b: int, h: int, q: int, k: int) -> float:
            row = min(max(farthest - (q - k), 0), distances - 1)
            key = keys[b if apart else 0, h if apart else 0, row]
            return score + 0.5 * sum(x * y for x, y in zip(query[b, h, q], key, strict=True)).item()

        return RelativeDot(query, keys, farthest), rule

    return make


def _chain(*links: Make) -> Make:
    def make(*sizes: int) -> tuple[Callable[..., Tensor], Rule]:
        mods, rules = zip(*(link(*sizes) for link in links), strict=True)

        def rule(score: float, *at: int) -> float:
            for one in rules:
                score = one(score, *at)
            return score

        return Chain(*mods), rule

    return make


def _cap(*_: int) -> tuple[Callable[..., Tensor], Rule]:
    return SoftCap(1.5), lambda s, b, h, q, k: 1.5 * math.tanh(s / 1.5)


MODS: dict[str, Make] = {
    "ALiBi": _alibi,
    "Bias": _bias(True, True, True, True),
    "Bias 2-d": _plane,
    "Bias per head": _bias(False, True, True, True),
    "Bias per key": _bias(True, False, False, True),
    "Bias per query": _bias(False, False, True, False),
    "Bias one": _bias(False, False, False, False),
    "RelativeBias both ways": _relative(True),
    "RelativeBias one way": _relative(False),
    "RelativeDot": _by_distance(20, 9, apart=True),
    "RelativeDot clipped": _by_distance(4, 1),
    "SoftCap": _cap,
    "Chain cap, bias": _chain(_cap, _alibi),
    "Chain bias, cap": _chain(_relative(True), _cap),
    "Chain two biases": _chain(_alibi, _relative(False)),
}
SIZES = [(2, 3, 5, 7), (1, 1, 1, 1), (1, 8, 6, 3), (2, 6, 9, 9)]
every_mod = all_in_one("make", MODS.values(), ids=MODS)


def indices(batch: int, heads: int, q_len: int, k_len: int, q_offset: int = 0) -> list[Tensor]:
    """Return b, h, q, k as the operator passes them in dense evaluation."""
    lengths = (batch, heads, q_len, k_len)
    views = [[-1 if axis == here else 1 for axis in range(4)] for here in range(4)]
    b, h, q, k = (torch.arange(n).view(v) for n, v in zip(lengths, views, strict=True))
    return [b, h, q + q_offset, k]


def aligned(mod: Callable[..., Tensor], q_offset: int) -> Callable[..., Tensor]:
    """Bind rows where the modification has any, as the operator does."""
    return mod.aligned(q_offset) if hasattr(mod, "aligned") else mod


def parameters(mod: Callable[..., Tensor]) -> list[Tensor]:
    """List the tensors that a modification learns."""
    if isinstance(mod, Chain):
        return [tensor for link in mod.mods for tensor in parameters(link)]
    return list(mod.parameters()) if isinstance(mod, nn.Module) else []


def test_every_modification_of_the_shop_window_is_in_the_table() -> None:
    assert {name.split()[0] for name in MODS} == set(regard.score_mods.__all__)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@every_mod
def test_dense_evaluation_is_the_rule_pair_by_pair(make: Make, sizes: tuple[int, ...]) -> None:
    mod, rule = make(*sizes)
    scores = torch.randn(sizes, dtype=torch.float64)
    changed = mod(scores, *indices(*sizes))
    expected = torch.empty_like(scores)
    for at in itertools.product(*(range(n) for n in sizes)):
        expected[at] = rule(scores[at].item(), *at)
    torch.testing.assert_close(changed, expected, rtol=0, atol=1e-12)


@every_mod
def test_later_queries_get_the_later_rows_of_the_full_call(make: Make) -> None:
    mod, _ = make(2, 3, 7, 7)
    scores = torch.randn(2, 3, 7, 7, dtype=torch.float64)
    full = mod(scores, *indices(2, 3, 7, 7))
    bound = aligned(mod, 0)
    for offset in range(7):
        at = indices(2, 3, 7 - offset, 7, q_offset=offset)
        found = bound(scores[:, :, offset:], *at)
        # Where a row lies in memory may decide which of two routines takes its tanh.
        torch.testing.assert_close(found, full[:, :, offset:], rtol=1e-14, atol=1e-14)


@every_mod
def test_additive_modifications_add_what_does_not_depend_on_the_score(make: Make) -> None:
    mod, _ = make(2, 3, 5, 7)
    at = indices(2, 3, 5, 7)
    zero = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    scores = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    added = torch.allclose(mod(scores, *at), scores + mod(zero, *at), rtol=0, atol=1e-12)
    assert added == mod.additive


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@every_mod
def test_the_scores_keep_their_dtype(make: Make, dtype: torch.dtype) -> None:
    mod, _ = make(2, 3, 5, 7)
    assert mod(torch.randn(2, 3, 5, 7).to(dtype), *indices(2, 3, 5, 7)).dtype == dtype


@every_mod
def test_modifications_leave_their_inputs_alone(make: Make) -> None:
    mod, _ = make(2, 3, 5, 7)
    given = [torch.randn(2, 3, 5, 7, dtype=torch.float64), *indices(2, 3, 5, 7)]
    before = copy.deepcopy(given)
    first = mod(*given)
    assert all(torch.equal(x, y) for x, y in zip(given, before, strict=True))
    assert torch.equal(mod(*given), first)


@every_mod
def test_first_and_second_derivatives_are_right(make: Make) -> None:
    mod, _ = make(1, 2, 2, 3)
    scores = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    inputs = (scores, *parameters(mod))

    def call(scores: Tensor, *_: Tensor) -> Tensor:
        # Squared, so that a second derivative with respect to a bias exists.
        return mod(scores, *indices(1, 2, 2, 3)) ** 2

    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize("empty", [0, 2, 3])
@every_mod
def test_empty_axes_give_empty_scores(make: Make, empty: int) -> None:
    sizes = [2, 3, 5, 7]
    sizes[empty] = 0
    mod, _ = make(*sizes)
    query, key = torch.zeros(*sizes[:3], 4), torch.zeros(*sizes[:2], sizes[3], 4)
    getattr(mod, "check", lambda *_: None)(query, key)
    assert mod(torch.zeros(sizes), *indices(*sizes)).shape == tuple(sizes)


@every_mod
def test_modifications_print_on_one_short_line(make: Make) -> None:
    mod, _ = make(2, 3, 50, 70)
    links = len(mod.mods) if isinstance(mod, Chain) else 1
    assert "\n" not in repr(mod) and "tensor(" not in repr(mod) and len(repr(mod)) < 100 * links


def test_equal_parameters_are_equal_values() -> None:
    assert ALiBi(8) == ALiBi(8) and hash(ALiBi(8)) == hash(ALiBi(8)) and ALiBi(8) != ALiBi(4)
    assert SoftCap(2.0) == SoftCap(2.0) and SoftCap(2.0) != SoftCap(3.0)
    tensor = torch.zeros(2, 2)
    assert (Bias(tensor) == Bias(tensor)) is False
    assert len({Bias(tensor), Bias(tensor)}) == 2
    assert Chain(SoftCap(2.0), ALiBi(8)) == Chain(SoftCap(2.0), ALiBi(8))
    assert Chain(SoftCap(2.0), ALiBi(8)) != Chain(ALiBi(8), SoftCap(2.0))
    learned = nn.Parameter(torch.tensor(2.0))
    assert SoftCap(learned) == SoftCap(learned) != SoftCap(nn.Parameter(torch.tensor(2.0)))
    assert hash(SoftCap(learned)) == hash(SoftCap(learned)) and SoftCap(learned) != SoftCap(2.0)


@pytest.mark.parametrize(
    ("mod", "numbers"),
    [
        (ALiBi(8), ("num_heads 8", "3 heads")),
        (RelativeBias(8), ("num_heads 8", "3 heads")),
        (Bias(torch.zeros(4, 7)), ("q_len 4", "q_len 5")),
        (Bias(torch.zeros(6, 7)), ("q_len 6", "q_len 5")),
        (Bias(torch.zeros(5, 6)), ("k_len 6", "k_len 7")),
        (Bias(torch.zeros(6, 5, 7)), ("heads 6", "heads 3")),
        (Bias(torch.zeros(3, 1, 5, 7)), ("batch 3", "batch 2")),
        (Bias(torch.zeros(9, 6), first_query=0), ("k_len 6", "k_len 7")),
        (RelativeDot(torch.zeros(2, 3, 4, 2), torch.zeros(1, 1, 9, 2), 4), ("q_len 4", "q_len 5")),
        (RelativeDot(torch.zeros(2, 1, 5, 2), torch.zeros(1, 1, 9, 2), 4), ("heads 1", "heads 3")),
        (RelativeDot(torch.zeros(2, 3, 5, 2), torch.zeros(1, 2, 9, 2), 4), ("heads 2", "heads 3")),
    ],
    ids=str,
)
def test_a_modification_of_another_size_is_refused_with_both_numbers(
    mod: Callable[..., Tensor], numbers: tuple[str, str]
) -> None:
    with pytest.raises(ValueError) as caught:
        mod.check(torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 7, 4))
    assert all(number in str(caught.value) for number in numbers)
    assert type(mod).__name__ in str(caught.value) and ";" in str(caught.value)


@pytest.mark.parametrize(
    "mod",
    [
        Bias(torch.zeros(5, 7, device="meta")),
        RelativeBias(3).to("meta"),
        RelativeDot(torch.zeros(2, 3, 5, 1), torch.zeros(1, 1, 1, 1, device="meta"), 0),
    ],
    ids=str,
)
def test_a_modification_on_another_device_is_refused_by_name(mod: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="is on meta but query is on cpu; "):
        mod.check(torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 7, 4))


OFFSETS = torch.tensor([4, 1])


@all_in_one("name", MODS)
def test_each_sequence_may_stand_at_an_offset_of_its_own(name: str) -> None:
    """Row by row it is the call with that offset, gradients of what is learned included."""
    mod, _ = MODS[name](2, 3, 5 if "Bias" in name else 9, 9)
    made = [mod]
    if name.startswith("Bias"):
        whole, _ = MODS[name](2, 3, 9, 9)
        made.append(Bias(whole.tensor, first_query=0))
    b, h, q, k = indices(2, 3, 5, 9)
    scores = torch.randn(2, 3, 5, 9, dtype=torch.float64)
    for whole in made:
        each = aligned(whole, OFFSETS)
        getattr(each, "check", lambda *_: None)(torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 9, 4))
        found = each(scores, b, h, q + OFFSETS.view(2, 1, 1, 1), k)
        for row, offset in enumerate(OFFSETS.tolist()):
            at = b[row : row + 1], h, q + offset, k
            wanted = aligned(whole, offset)(scores[row : row + 1], *at)
            torch.testing.assert_close(found[row : row + 1], wanted, rtol=0, atol=1e-14)


def test_numpy_integers_are_the_integers_they_stand_for() -> None:
    assert ALiBi(np.int64(8)) == ALiBi(8) and repr(ALiBi(np.int32(8))) == repr(ALiBi(8))
    made = RelativeBias(np.int64(3), np.int32(8), np.uint8(5))
    assert repr(made) == repr(RelativeBias(3, 8, 5)) and type(made.num_heads) is int
    assert repr(Bias(torch.zeros(2, 2), np.int64(1))) == "Bias(float32[2, 2], first_query=1)"
    for wrong in (True, np.bool_(True), 1.5, torch.tensor(3), "3"):
        for make in (ALiBi, RelativeBias, lambda n: Bias(torch.zeros(2, 2), n)):
            with pytest.raises(Exception, match="int|Index"):
                make(wrong)


@every_mod
def test_modifications_need_no_device_but_that_of_their_tensors(make: Make) -> None:
    """Whatever device tensors are made on by default."""
    mod, _ = make(2, 3, 5, 7)
    given = torch.randn(2, 3, 5, 7, dtype=torch.float64), *indices(2, 3, 5, 7)
    wanted = mod(*given)
    with torch.device("meta"):
        found = aligned(mod, 0)(*given)
    assert found.device.type == "cpu" and torch.equal(found, wanted)


@every_mod
def test_modifications_are_evaluated_without_numbers(make: Make) -> None:
    """On meta tensors and fake ones nothing can be looked at."""
    for mode in (torch.device("meta"), FakeTensorMode()):
        with mode:
            mod, _ = make(2, 3, 5, 7)
            scores = torch.zeros(2, 3, 5, 7, dtype=torch.float64)
            found = aligned(mod, 0)(scores, *indices(2, 3, 5, 7))
        assert found.shape == (2, 3, 5, 7) and found.dtype == torch.float64


@every_mod
def test_modifications_are_evaluated_in_inference_mode_and_by_vmap(make: Make) -> None:
    mod, _ = make(2, 3, 5, 7)
    b, h, q, k = indices(2, 3, 5, 7)
    scores = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    with torch.inference_mode():
        wanted = mod(scores, *indices(2, 3, 5, 7)).clone()
    torch.testing.assert_close(mod(scores, b, h, q, k), wanted, rtol=0, atol=1e-14)
    by_sequence = torch.func.vmap(lambda s, b: mod(s[None], b.view(1, 1, 1, 1), h, q, k))
    found = by_sequence(scores, torch.arange(2)).squeeze(1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)
    by_pair: Callable[..., Tensor] = mod
    for axis in range(4):
        dims = [0 if other == 3 - axis else None for other in range(4)]
        by_pair = torch.func.vmap(by_pair, in_dims=(0, *dims))
    found = by_pair(scores, *(torch.arange(n) for n in (2, 3, 5, 7)))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, at first use
@every_mod
def test_derivatives_are_right_forwards_too(make: Make) -> None:
    mod, _ = make(1, 2, 2, 3)
    at = indices(1, 2, 2, 3)
    scores = torch.randn(1, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    along = torch.randn_like(scores)
    _, found = torch.func.jvp(lambda s: mod(s, *at), (scores,), (along,))
    wanted = torch.func.vmap(lambda row: (row * along).sum())(
        torch.autograd.functional.jacobian(lambda s: mod(s, *at), scores).reshape(-1, 1, 2, 2, 3)
    )
    torch.testing.assert_close(found.flatten(), wanted)
    hessian = torch.func.hessian(lambda s: (mod(s, *at) ** 2).sum())(scores)
    second = torch.autograd.functional.hessian(lambda s: (mod(s, *at) ** 2).sum(), scores)
    torch.testing.assert_close(hessian, second)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_mod
def test_half_precision_is_rounded_once(make: Make, dtype: torch.dtype) -> None:
    """In between there is at least float32, under autocast too."""
    mod, _ = make(2, 12, 5, 70)  # slopes of twelve heads are no powers of two
    at = indices(2, 12, 5, 70)
    scores = (8 * torch.randn(2, 12, 5, 70)).to(dtype)
    exact = mod(scores.double(), *at)
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            found = mod(scores, *at)
        if isinstance(mod, Chain):  # rounds once for each link
            torch.testing.assert_close(found, exact.to(dtype), rtol=0.02, atol=0.02)
        else:
            step = (exact.to(dtype).double() - exact).abs() + 1e-5 * exact.abs()
            assert ((found.double() - exact).abs() <= step + 1e-6).all()
