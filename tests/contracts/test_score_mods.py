"""What every score modification owes. One table of all members; a new one adds one row.

A row makes a modification for a call of given sizes, and the same rule written as plain Python.
"""

import copy
import decimal
import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import regard.score_mods
from regard.score_mods import ALiBi, Bias, RelativeBias, SoftCap

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
        mod = RelativeBias(heads, 8, 5, bidirectional).double()
        nn.init.normal_(mod.weight)
        return (
            mod,
            lambda s, b, h, q, k: s + mod.weight[t5_bucket(k - q, 8, 5, bidirectional), h].item(),
        )

    return make


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
    "SoftCap": lambda *_: (SoftCap(1.5), lambda s, b, h, q, k: 1.5 * math.tanh(s / 1.5)),
}
SIZES = [(2, 3, 5, 7), (1, 1, 1, 1), (1, 8, 6, 3), (2, 6, 9, 9)]
every_mod = pytest.mark.parametrize("make", MODS.values(), ids=MODS)


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
        assert torch.equal(bound(scores[:, :, offset:], *at), full[:, :, offset:])


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
    assert "\n" not in repr(mod) and "tensor(" not in repr(mod) and len(repr(mod)) < 100


def test_equal_parameters_are_equal_values() -> None:
    assert ALiBi(8) == ALiBi(8) and hash(ALiBi(8)) == hash(ALiBi(8)) and ALiBi(8) != ALiBi(4)
    assert SoftCap(2.0) == SoftCap(2.0) and SoftCap(2.0) != SoftCap(3.0)
    tensor = torch.zeros(2, 2)
    assert (Bias(tensor) == Bias(tensor)) is False
    assert len({Bias(tensor), Bias(tensor)}) == 2


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
    "mod", [Bias(torch.zeros(5, 7, device="meta")), RelativeBias(3).to("meta")], ids=str
)
def test_a_modification_on_another_device_is_refused_by_name(mod: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="is on meta but query is on cpu; "):
        mod.check(torch.zeros(2, 3, 5, 4), torch.zeros(2, 3, 7, 4))
