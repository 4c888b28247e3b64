"""What every normalizer owes. One table of all members; a new normalizer adds one row.

A row makes a normalizer for a call of given sizes, and says which laws hold beyond those of all.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterator

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

import regard.normalizers
from regard.normalizers import (
    Entmax,
    GumbelSoftmax,
    Hard,
    LearnedEntmax,
    LocalGaussian,
    Sample,
    Sink,
    Softmax,
    TopK,
    divide_by_count,
    divide_by_sum,
    hard,
    sigmoid,
    softmax,
    softmax_one,
    sparsemax,
    unnormalized,
)
from tests.one_by_one import Law, all_in_one

SHAPE = (2, 3, 4, 7)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Softmax wakes every thread even for ten numbers, and waits long where cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclasses.dataclass(frozen=True)
class Member:
    make: Callable[[int, int, int], Callable]
    sums_to_one: bool = True
    shifts: bool = True  # adding a constant to a row changes nothing
    cold: bool = True  # large scores give the arg max
    permutes: bool = True  # reordering the keys reorders the weights
    differentiable: bool = True
    bounded: bool = True  # no weight is greater than one
    straight_through: bool = False  # the gradient is another function's


def always(normalizer: Callable) -> Callable[[int, int, int], Callable]:
    return lambda batch, heads, q_len: normalizer


def _local(batch: int, heads: int, q_len: int) -> LocalGaussian:
    return LocalGaussian(4.0 * torch.rand(batch, heads, q_len, dtype=torch.float64), sigma=1.5)


def _windowed(batch: int, heads: int, q_len: int) -> LocalGaussian:
    center = 4.0 * torch.rand(batch, heads, q_len, dtype=torch.float64)
    return LocalGaussian(center, sigma=1.0, window=2.0)


def _sink(batch: int, heads: int, q_len: int) -> Sink:
    sink = Sink(heads)
    with torch.no_grad():
        sink.sink.copy_(torch.linspace(-1.0, 1.0, heads))
    return sink


MEMBERS = {
    "Entmax(1)": Member(always(Entmax(1.0))),
    "Entmax(1.2)": Member(always(Entmax(1.2))),
    "Entmax(1.5)": Member(always(Entmax(1.5))),
    "Entmax(1.8)": Member(always(Entmax(1.8))),
    "Entmax(2)": Member(always(Entmax(2.0))),
    "Entmax(2.5)": Member(always(Entmax(2.5))),
    "Entmax(3)": Member(always(Entmax(3.0))),
    "Entmax(10)": Member(always(Entmax(10.0))),
    "GumbelSoftmax": Member(always(GumbelSoftmax(0.7, seed=1)), permutes=False),
    "GumbelSoftmax(hard)": Member(
        always(GumbelSoftmax(0.7, hard=True, seed=1)), permutes=False, straight_through=True
    ),
    "Hard": Member(always(Hard()), differentiable=False),
    "Hard(straight_through)": Member(always(Hard(straight_through=True)), straight_through=True),
    "LearnedEntmax": Member(always(LearnedEntmax(alpha=1.3))),
    "LearnedEntmax(heads)": Member(lambda b, h, q: LearnedEntmax(num_heads=h, alpha=1.6)),
    "LocalGaussian": Member(_local, sums_to_one=False, cold=False, permutes=False),
    "LocalGaussian(window)": Member(_windowed, sums_to_one=False, cold=False, permutes=False),
    "Sample": Member(always(Sample(seed=3)), permutes=False, differentiable=False),
    "Sink": Member(_sink, sums_to_one=False, shifts=False),
    "Softmax(0.5)": Member(always(Softmax(0.5))),
    "Softmax(3)": Member(always(Softmax(3.0))),
    "TopK(1)": Member(always(TopK(1))),
    "TopK(3)": Member(always(TopK(3))),
    "TopK(99)": Member(always(TopK(99))),
    "hard": Member(always(hard), differentiable=False),
    "sigmoid": Member(always(sigmoid), sums_to_one=False, shifts=False, cold=False),
    "softmax": Member(always(softmax)),
    "softmax_one": Member(always(softmax_one), sums_to_one=False, shifts=False),
    "sparsemax": Member(always(sparsemax)),
    "divide_by_sum": Member(always(divide_by_sum), shifts=False, cold=False),
    "divide_by_count": Member(
        always(divide_by_count), sums_to_one=False, shifts=False, cold=False, bounded=False
    ),
    "unnormalized": Member(
        always(unnormalized), sums_to_one=False, shifts=False, cold=False, bounded=False
    ),
}

every = all_in_one("member", MEMBERS.values(), ids=MEMBERS)


def those(**claims: bool) -> Callable[[Law], Law]:
    """The members that make (or do not make) these claims."""
    chosen = {
        name: member
        for name, member in MEMBERS.items()
        if all(getattr(member, claim) == value for claim, value in claims.items())
    }
    return all_in_one("member", chosen.values(), ids=chosen)


def scores_of(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Positive scores far enough apart: `divide_by_sum` is defined and no choice is a tie."""
    return 3.0 * torch.rand(*shape, dtype=dtype) + 0.1


def mask_of(*shape: int) -> Tensor:
    """Some keys of every row, and none of the first row."""
    where = torch.rand(*shape) < 0.7
    where[..., 0] = True
    where[..., 0, :] = False
    return where


def run(member: Member, scores: Tensor, where: Tensor | None = None) -> Tensor:
    batch, heads, q_len, _ = scores.shape
    return member.make(batch, heads, q_len)(scores, where)


def test_the_table_names_every_normalizer() -> None:
    rows = {name.split("(")[0] for name in MEMBERS}
    assert rows == set(regard.normalizers.__all__)


@every
def test_forbidden_pairs_have_weight_exactly_zero_and_others_are_never_negative(
    member: Member,
) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    weights = run(member, scores, where)
    assert weights.shape == scores.shape and weights.dtype == scores.dtype
    assert (weights[~where] == 0).all()
    assert (weights >= 0).all()
    assert (weights[..., 1:, :].sum(-1) > 0).all()


@those(sums_to_one=True)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_sum_to_one_where_claimed(member: Member, dtype: torch.dtype) -> None:
    scores, where = scores_of(*SHAPE, dtype=dtype), mask_of(*SHAPE)
    total = run(member, scores, where).sum(-1)
    expected = where.any(-1).to(dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    torch.testing.assert_close(total, expected, rtol=0, atol=tolerance)
    assert (total[..., 0] == 0).all()


@those(sums_to_one=False)
def test_rows_sum_to_less_where_nothing_else_is_claimed(member: Member) -> None:
    scores = scores_of(*SHAPE)
    assert ((run(member, scores).sum(-1) - 1.0).abs() > 1e-3).all()


@those(shifts=True)
def test_a_constant_added_to_a_row_changes_nothing(member: Member) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    torch.manual_seed(1)
    weights = run(member, scores, where)
    torch.manual_seed(1)
    shifted = run(member, scores + torch.tensor([[-5.0], [2.0], [30.0], [0.25]]), where)
    torch.testing.assert_close(shifted, weights, rtol=0, atol=1e-12)


@those(shifts=False)
def test_a_constant_added_to_a_row_matters_where_scores_are_absolute(member: Member) -> None:
    scores = scores_of(*SHAPE)
    assert not torch.allclose(run(member, scores), run(member, scores + 1.0), atol=1e-3)


@those(shifts=True)
@pytest.mark.parametrize("shift", [2000.0, -2000.0])
def test_a_huge_shift_does_not_overflow(member: Member, shift: float) -> None:
    # Multiples of 1/64 survive the shift exactly.
    scores = (scores_of(*SHAPE, dtype=torch.float32) * 64).round() / 64
    torch.manual_seed(1)
    weights = run(member, scores)
    torch.manual_seed(1)
    shifted = run(member, scores + shift)
    assert shifted.isfinite().all()
    torch.testing.assert_close(shifted, weights, rtol=0, atol=2e-3)


@those(cold=True)
def test_cold_scores_give_the_arg_max(member: Member) -> None:
    places = torch.stack([torch.randperm(7) for _ in range(24)]).reshape(SHAPE)
    scores, where = 1000.0 * places.double(), mask_of(*SHAPE)
    expected = hard(scores, where)
    torch.testing.assert_close(run(member, scores, where), expected, rtol=0, atol=1e-12)


@every
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, -torch.inf, 1e38, -1e38])
def test_what_lies_under_the_mask_reaches_neither_weights_nor_gradients(
    member: Member, garbage: float
) -> None:
    clean, where = scores_of(*SHAPE), mask_of(*SHAPE)
    upstream = torch.randn(SHAPE, dtype=torch.float64)
    results = []
    for hidden in (0.0, garbage):
        torch.manual_seed(1)
        scores = clean.masked_fill(~where, hidden).requires_grad_()
        weights = run(member, scores, where)
        # What flows back through a forbidden pair is garbage as well.
        flow = upstream.masked_fill(~where, hidden)
        gradient = torch.zeros_like(scores)
        if member.differentiable:
            (gradient,) = torch.autograd.grad(weights, scores, flow)
        results.append((weights.detach(), gradient))
    (weights, gradient), (dirty_weights, dirty_gradient) = results
    assert torch.equal(weights, dirty_weights)
    assert torch.equal(gradient, dirty_gradient)
    assert (gradient[~where] == 0).all()


@those(differentiable=True)
@pytest.mark.parametrize("garbage", [torch.nan, torch.inf, 1e38])
def test_what_lies_under_the_mask_does_not_reach_second_derivatives(
    member: Member, garbage: float
) -> None:
    clean, where = scores_of(*SHAPE), mask_of(*SHAPE)
    flow, direction = torch.randn(2, *SHAPE, dtype=torch.float64)
    results = []
    for hidden in (0.0, garbage):
        torch.manual_seed(1)
        scores = clean.masked_fill(~where, hidden).requires_grad_()
        weights = run(member, scores, where)
        (gradient,) = torch.autograd.grad(weights, scores, flow, create_graph=True)
        again = torch.zeros_like(scores)
        if gradient.requires_grad:
            (again,) = torch.autograd.grad(
                gradient, scores, direction, allow_unused=True, materialize_grads=True
            )
        results.append(again)
    assert torch.equal(*results)
    assert (results[0][~where] == 0).all()


@every
@pytest.mark.parametrize("by", ["mask", "score of -inf"])
def test_a_row_without_a_permitted_key_gives_zeros(member: Member, by: str) -> None:
    scores, where = scores_of(*SHAPE), None
    if by == "mask":
        where = torch.ones(4, 1, dtype=torch.bool)
        where[2] = False
    else:
        scores[:, :, 2] = -torch.inf
    scores.requires_grad_()
    weights = run(member, scores, where)
    assert (weights[:, :, 2] == 0).all()
    assert (weights[:, :, [0, 1, 3]].sum(-1) > 0).all()
    if member.differentiable:
        upstream = torch.randn_like(weights)
        (gradient,) = torch.autograd.grad(weights, scores, upstream, create_graph=True)
        assert (gradient[:, :, 2] == 0).all()
        assert gradient.isfinite().all()
        (again,) = torch.autograd.grad(
            gradient.square().sum() + 0.0 * scores.nan_to_num(neginf=0.0).sum(), scores
        )
        assert again.isfinite().all()


@those(differentiable=True)
def test_anomaly_detection_finds_nothing_in_rows_without_a_permitted_key(member: Member) -> None:
    scores = scores_of(*SHAPE).requires_grad_()
    with torch.autograd.set_detect_anomaly(True):
        weights = run(member, scores, mask_of(*SHAPE))
        (gradient,) = torch.autograd.grad(weights.square().sum(), scores, create_graph=True)
        (gradient.sin() * scores).sum().backward()
    assert (scores.grad[:, :, 0] == 0).all()


@every
def test_a_permitted_score_of_minus_infinity_is_the_same_as_forbidden(member: Member) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    torch.manual_seed(1)
    forbidden = run(member, scores, where)
    torch.manual_seed(1)
    unscored = run(member, scores.masked_fill(~where, -torch.inf))
    assert torch.equal(unscored, forbidden)


@every
def test_a_mask_is_the_same_as_deleting_the_keys(member: Member) -> None:
    scores = scores_of(*SHAPE)
    kept = 5  # the last keys go, so that places and noise stay
    torch.manual_seed(1)
    masked = run(member, scores, torch.arange(7) < kept)
    torch.manual_seed(1)
    deleted = run(member, scores[..., :kept])
    torch.testing.assert_close(masked[..., :kept], deleted, rtol=0, atol=1e-12)


@those(permutes=True)
def test_reordering_the_keys_reorders_the_weights(member: Member) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    order = torch.randperm(7)
    expected = run(member, scores, where)[..., order]
    actual = run(member, scores[..., order], where[..., order])
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@every
def test_each_row_is_normalized_alone(member: Member) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    normalizer = member.make(2, 3, 4)
    weights = normalizer(scores, where)
    changed = scores.clone()
    changed[1, 2, 3] += torch.randn(7)
    others = torch.ones(2, 3, 4, dtype=torch.bool)
    others[1, 2, 3] = False
    torch.testing.assert_close(
        normalizer(changed, where)[others], weights[others], rtol=0, atol=1e-14
    )


@every
@pytest.mark.parametrize("heads", [slice(None), slice(1, 3), [2, 0]], ids=str)
@pytest.mark.parametrize("rows", [slice(None), slice(1, 3), [3, 1]], ids=str)
def test_some_heads_and_rows_are_the_same_as_all_of_them_cut(
    member: Member, heads: slice | list[int], rows: slice | list[int]
) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    normalizer = member.make(2, 3, 4)
    part = normalizer.at(heads, rows) if hasattr(normalizer, "at") else normalizer
    expected = normalizer(scores, where)[:, heads][:, :, rows]
    actual = part(scores[:, heads][:, :, rows], where[:, heads][:, :, rows])
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-14)


@every
@pytest.mark.parametrize("shape", [(2, 3, 4, 0), (2, 3, 0, 7), (0, 3, 4, 7), (2, 0, 4, 7)])
def test_empty_calls_give_empty_weights(member: Member, shape: tuple[int, ...]) -> None:
    scores = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
    weights = run(member, scores, torch.ones(shape[-2:], dtype=torch.bool))
    assert weights.shape == shape
    if member.differentiable:
        weights.sum().backward()
        assert scores.grad is not None and scores.grad.shape == shape


@every
def test_a_single_key_gets_all_the_weight_there_is(member: Member) -> None:
    scores = scores_of(2, 3, 4, 1)
    weights = run(member, scores)
    if member.sums_to_one:
        torch.testing.assert_close(weights, torch.ones_like(scores))
    assert (weights >= 0).all() and weights.sum() > 0
    assert (weights <= 1).all() == member.bounded


@every
def test_inputs_are_not_modified(member: Member) -> None:
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    before = copy.deepcopy((scores, where))
    run(member, scores, where)
    run(member, scores)
    assert torch.equal(scores, before[0]) and torch.equal(where, before[1])


@every
def test_the_mask_broadcasts_and_strides_do_not_matter(member: Member) -> None:
    scores = scores_of(2, 7, 4, 3).transpose(1, 3)
    where = mask_of(1, 1, 4, 7)
    normalizer = member.make(2, 3, 4)
    expected = normalizer(scores.contiguous(), where.expand(SHAPE).contiguous())
    torch.testing.assert_close(normalizer(scores, where), expected, rtol=0, atol=1e-14)
    torch.testing.assert_close(normalizer(scores, where[0, 0]), expected, rtol=0, atol=1e-14)


@those(differentiable=True, straight_through=False)
@pytest.mark.parametrize("masked", [False, True])
def test_first_and_second_derivatives_agree_with_finite_differences(
    member: Member, masked: bool
) -> None:
    shape = (1, 1, 2, 4)
    # Far from the places where an entry enters the support or the best k.
    places = torch.stack([torch.randperm(4) for _ in range(2)]).reshape(shape)
    scores = (0.23 * places + 0.5).double()
    scores.requires_grad_()
    where = mask_of(*shape) if masked else None
    normalizer = member.make(1, 1, 2)

    def weigh(scores: Tensor) -> Tensor:
        return normalizer(scores, where)

    assert torch.autograd.gradcheck(weigh, scores)
    assert torch.autograd.gradgradcheck(weigh, scores)


@those(differentiable=False)
def test_choices_are_constant(member: Member) -> None:
    scores = scores_of(*SHAPE).requires_grad_()
    weights = run(member, scores, mask_of(*SHAPE))
    assert not weights.requires_grad
    assert set(weights.unique().tolist()) == {0.0, 1.0}


@every
def test_parts_are_values_or_modules(member: Member) -> None:
    normalizer = member.make(2, 3, 4)
    if isinstance(normalizer, torch.nn.Module):
        again = copy.deepcopy(normalizer)
        again.load_state_dict(normalizer.state_dict())
    elif dataclasses.is_dataclass(normalizer) and not isinstance(normalizer, LocalGaussian):
        assert normalizer == copy.deepcopy(normalizer)
        assert hash(normalizer) == hash(copy.deepcopy(normalizer))
    assert repr(normalizer)


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
@hypothesis.settings(max_examples=25)
@hypothesis.given(data=st.data())
def test_any_scores_and_mask_give_finite_weights_within_their_bounds(
    member: Member, data: st.DataObject
) -> None:
    batch, heads, q_len = (data.draw(st.integers(0, 3)) for _ in range(3))
    k_len = data.draw(st.integers(0, 9))
    size = data.draw(st.sampled_from([1e-4, 1.0, 30.0, 1e4]))
    dtype = data.draw(st.sampled_from([torch.float32, torch.float64]))
    torch.manual_seed(data.draw(st.integers(0, 99)))
    scores = (size * torch.randn(batch, heads, q_len, k_len, dtype=dtype)).abs()
    where = torch.rand(batch, heads, q_len, k_len) < data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    weights = run(member, scores, where)
    assert weights.isfinite().all()
    assert (weights >= 0).all()
    assert not member.bounded or (weights <= 1.0 + 1e-5).all()
    assert (weights[~where] == 0).all()
    if member.sums_to_one:
        expected = where.any(-1).to(dtype)
        torch.testing.assert_close(weights.sum(-1), expected, rtol=0, atol=1e-4)
