"""What every score owes. The table of all members is in tests.parts; a new score adds one row."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.parts import SCORES, Sizes, shown

SIZES = Sizes(2, 3, 3, 4, 5, 6)
every_score = pytest.mark.parametrize("name", SCORES)


def pair(sizes: Sizes = SIZES, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Draw a query and a key with as many heads, as scores are called."""
    query = torch.randn(sizes.batch, sizes.heads, sizes.q_len, sizes.width, dtype=dtype)
    return query, torch.randn(sizes.batch, sizes.heads, sizes.k_len, sizes.width, dtype=dtype)


@every_score
def test_every_score_is_its_formula(name: str) -> None:
    score, formula = SCORES[name](SIZES)
    query, key = pair()
    found = score(query, key).detach().numpy()
    for b, h, row in np.ndindex(2, 3, 4):
        wanted = formula(query[b, h, row].numpy(), key[b, h].numpy())
        np.testing.assert_allclose(found[b, h, row], wanted, rtol=1e-12, atol=1e-13)


@every_score
def test_sequences_heads_and_queries_are_scored_apart(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    query, key = pair()
    whole = score(query, key)
    alone = score(query[1:, 2:, 3:], key[1:, 2:])
    torch.testing.assert_close(alone, whole[1:, 2:, 3:], rtol=1e-12, atol=1e-13)


@every_score
def test_derivatives_of_first_and_second_order(name: str) -> None:
    score, _ = SCORES[name](Sizes(1, 2, 2, 2, 3, 2))
    query, key = pair(Sizes(1, 2, 2, 2, 3, 2))
    weights = list(score.parameters()) if isinstance(score, nn.Module) else []
    inputs = [query.requires_grad_(), key.requires_grad_(), *weights]

    def evaluate(query: Tensor, key: Tensor, *weights: Tensor) -> Tensor:
        return score(query, key)

    assert torch.autograd.gradcheck(evaluate, inputs)
    assert torch.autograd.gradgradcheck(evaluate, inputs)


@every_score
def test_every_weight_learns(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    if isinstance(score, nn.Module) and "bare" not in name:
        score(*pair()).square().sum().backward()
        for weight, parameter in score.named_parameters():
            used = parameter.grad.flatten(1) if parameter.ndim > 1 else parameter.grad
            assert used.any(), weight
        assert set(score.state_dict()) == {name for name, _ in score.named_parameters()}


@every_score
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_have_the_dtype_of_the_query(name: str, dtype: torch.dtype) -> None:
    """Weights of another dtype follow."""
    score, _ = SCORES[name](SIZES)
    assert score(*pair(dtype=dtype)).dtype == dtype
    if isinstance(score, nn.Module):
        assert score.to(torch.bfloat16)(*pair(dtype=dtype)).dtype == dtype


@every_score
@pytest.mark.parametrize("lengths", [(0, 5), (4, 0), (0, 0), (1, 1)], ids=shown)
def test_empty_lengths_have_empty_scores(name: str, lengths: tuple[int, int]) -> None:
    score, _ = SCORES[name](SIZES)
    sizes = SIZES._replace(q_len=lengths[0], k_len=lengths[1])
    assert score(*pair(sizes)).shape == (2, 3, *lengths)


@every_score
def test_inputs_are_left_alone(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    query, key = pair()
    before = query.clone(), key.clone()
    score(query, key)
    assert torch.equal(query, before[0])
    assert torch.equal(key, before[1])


@every_score
def test_scores_are_values_or_modules_and_print_what_they_are(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    assert repr(score).startswith(name.split()[0] + "(")
    assert "0x" not in repr(score) or name == "FeatureMapDot"
    if isinstance(score, nn.Module):
        twin = copy.deepcopy(score)
        twin.load_state_dict(score.state_dict())
    else:
        assert dataclasses.is_dataclass(score)
        twin = SCORES[name](SIZES)[0]
        assert twin == score
        assert hash(twin) == hash(score)
        assert copy.deepcopy(score) == score
        with pytest.raises(dataclasses.FrozenInstanceError):
            score.anything = 1
    query, key = pair()
    assert torch.equal(twin(query, key), score(query, key))


@every_score
def test_wrong_widths_are_refused_before_anything_is_computed(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    query, key = pair()
    score.check(query, key)
    wide, _ = pair(SIZES._replace(width=7))
    with pytest.raises(ValueError, match="6.*7|7.*6"):
        score.check(wide, key)


@pytest.mark.parametrize(
    ("score", "width"),
    [
        (Additive(), 6), (Additive(6, 6, 9), 9), (LuongConcat(6, 6, 8), 8),
        (ConcatTanhSum(6, 6, 5), 5), (NegativeSquaredDistance(), 6), (InverseDistance(), 6),
    ],
    ids=shown,
)  # fmt: skip
def test_wide_scores_say_how_much_they_hold_for_each_pair(
    score: NegativeSquaredDistance, width: int
) -> None:
    assert score.pair_width(6, 6) == width


def test_a_zero_vector_has_cosine_zero_and_a_finite_gradient() -> None:
    query, key = (x.requires_grad_() for x in pair())
    with torch.no_grad():
        query[0, 0, 0], key[1, 1, 2] = 0, 0
    found = Cosine()(query, key)
    assert not found[0, 0, 0].any()
    assert not found[1, 1, :, 2].any()
    for gradient in torch.autograd.grad(found.sum(), (query, key)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1.0, 1e20, 1e30])
def test_a_cosine_does_not_know_the_length_of_vectors(size: float) -> None:
    """Squares of these leave the range of float32, the vectors do not."""
    query, key = pair(dtype=torch.float32)
    wanted = Cosine(0.5)(query, key)
    query = (query * size).requires_grad_()
    found = Cosine(0.5)(query, key * size)
    torch.testing.assert_close(found, wanted)
    (gradient,) = torch.autograd.grad(found.square().sum(), query)
    assert gradient.any()
    assert gradient.isfinite().all()


def test_equal_vectors_have_inverse_distance_one_and_no_gradient() -> None:
    query, _ = pair()
    query, key = query.requires_grad_(), query.detach().clone().requires_grad_()
    found = InverseDistance()(query, key)
    diagonal = found.diagonal(dim1=-2, dim2=-1)
    assert torch.equal(diagonal, torch.ones_like(diagonal))
    for gradient in torch.autograd.grad(diagonal.sum(), (query, key)):
        assert not gradient.any()


def test_near_vectors_far_from_zero_keep_their_distance() -> None:
    query = torch.full((1, 1, 1, 8), 1000.0)
    key = query + torch.tensor([0.0, 0.125]).view(1, 1, 2, 1)
    assert NegativeSquaredDistance()(query, key).flatten().tolist() == [0.0, -0.125]


def test_location_looks_at_no_key() -> None:
    score = Location(6, 9).double()
    query, key = pair()
    assert torch.equal(score(query, key), score(query, torch.full_like(key, torch.nan)))
    wider = torch.randn(2, 3, 5, 11, dtype=torch.float64)
    assert torch.equal(score(query, key), score(query, wider))
    assert torch.equal(score(query, key)[..., :3], score(query, key[:, :, :3]))


def test_keys_projected_once_score_as_keys_projected_each_time() -> None:
    score = Additive(6, 6, 9).double()
    half = Additive(6, hidden_dim=9).double()
    half.load_state_dict({name: x for name, x in score.state_dict().items() if "key" not in name})
    query, key = pair()
    projected = score.project(query, key)[1]
    assert torch.equal(half(query, projected), score(query, key))


def test_luong_concat_is_a_layer_on_the_concatenation() -> None:
    score = LuongConcat(6, 6, 9).double()
    query, key = pair()
    both = torch.cat(
        [query.unsqueeze(3).expand(-1, -1, -1, 5, -1), key.unsqueeze(2).expand(-1, -1, 4, -1, -1)],
        -1,
    )
    wanted = torch.tanh(both @ score.weight.T) @ score.v
    torch.testing.assert_close(score(query, key), wanted)


def test_concat_linear_is_the_tutorial_with_one_key_vector() -> None:
    score = ConcatLinear(6, 6, 5).double()
    nn.init.normal_(score.bias)
    query, key = pair()
    one = key[:, :, :1]
    layer = nn.Linear(12, 5).double()
    with torch.no_grad():
        layer.weight.copy_(score.weight)
        layer.bias.copy_(score.bias)
    wanted = layer(torch.cat([query, one.expand(-1, -1, 4, -1)], -1))
    torch.testing.assert_close(score(query, one.expand(-1, -1, 5, -1)), wanted)


@pytest.mark.parametrize(
    "score",
    [Bilinear(3, 7), Additive(3, 7, 4), LuongConcat(3, 7, 4), LuongConcat(3, 7, 7, "official"),
     ConcatLinear(3, 7, 5), ConcatTanhSum(3, 7, 4), Location(3, 5),
     MLP(3, 7, (4,), "paper")],
    ids=shown,
)  # fmt: skip
def test_scores_with_weights_take_queries_and_keys_of_two_widths(score: nn.Module) -> None:
    query, key = torch.randn(2, 3, 4, 3), torch.randn(2, 3, 5, 7)
    score.check(query, key)
    assert score(query, key).shape == (2, 3, 4, 5)


@pytest.mark.parametrize("score", [Dot(), ScaledDot(), Cosine(), FeatureMapDot()], ids=shown)
def test_scores_without_weights_are_symmetric(score: Callable[[Tensor, Tensor], Tensor]) -> None:
    query, key = pair()
    torch.testing.assert_close(score(query, key), score(key, query).mT)
