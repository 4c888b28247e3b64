"""What every score owes. The table of all members is in tests.parts; a new score adds one row."""

import copy
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn.utils import parametrize

from regard.scores import (
    MLP,
    Additive,
    Bilinear,
    ConcatLinear,
    ConcatReLU,
    ConcatTanhSum,
    Cosine,
    Dot,
    FeatureMapDot,
    GATv2,
    InverseDistance,
    Location,
    LuongConcat,
    NegativeSquaredDistance,
    ScaledDot,
)
from tests.one_by_one import all_in_one
from tests.parts import SCORES, Sizes, shown

SIZES = Sizes(2, 3, 3, 4, 5, 6)
every_score = all_in_one("name", SCORES)


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
        holds_tensor = any(isinstance(x, Tensor) for x in vars(score).values())
        assert (copy.deepcopy(score) == score) is not holds_tensor
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
        (GATv2(), 6), (GATv2(6, 6, 9), 9), (ConcatTanhSum(6, 6, 5), 5),
        (NegativeSquaredDistance(), 6), (InverseDistance(), 6),
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
    # Products of other shapes are rounded otherwise on some machines.
    fewer = score(query, key[:, :, :3])
    torch.testing.assert_close(score(query, key)[..., :3], fewer, rtol=1e-12, atol=1e-13)


def test_keys_projected_once_score_as_keys_projected_each_time() -> None:
    score = Additive(6, 6, 9).double()
    half = Additive(6, hidden_dim=9).double()
    half.load_state_dict({name: x for name, x in score.state_dict().items() if "key" not in name})
    query, key = pair()
    projected = score.project(query, key)[1]
    torch.testing.assert_close(half(query, projected), score(query, key), rtol=1e-12, atol=1e-13)


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
     ConcatLinear(3, 7, 5), ConcatTanhSum(3, 7, 4), ConcatReLU(3, 7), Location(3, 5),
     MLP(3, 7, (4,), "paper"), GATv2(3, 7, 4)],
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


def weights_of(score: nn.Module | object) -> dict[str, Tensor]:
    """The weights of a score by name; none where it is a plain value."""
    return dict(score.named_parameters()) if isinstance(score, nn.Module) else {}


def with_weights(
    score: Callable[..., Tensor], weights: dict[str, Tensor], query: Tensor, key: Tensor
) -> Tensor:
    """Evaluate with other weights than its own."""
    if isinstance(score, nn.Module):
        return torch.func.functional_call(score, weights, (query, key))
    return score(query, key)


@every_score
def test_weights_may_be_given_from_outside(name: str) -> None:
    """`functional_call` with another module's weights is that module, gradients included."""
    score, other = SCORES[name](SIZES)[0], SCORES[name](SIZES)[0]
    query, key = (x.requires_grad_() for x in pair())
    theirs = weights_of(other)
    wanted, found = other(query, key), with_weights(score, theirs, query, key)
    assert torch.equal(found, wanted)
    leaves = [query, key, *theirs.values()]
    options = {"allow_unused": True, "materialize_grads": True}
    gradients = torch.autograd.grad(found.square().sum(), leaves, **options)
    torch.testing.assert_close(
        gradients, torch.autograd.grad(wanted.square().sum(), leaves, **options)
    )


class _Doubled(nn.Module):
    """A parametrization: what is used is twice what is learned."""

    def forward(self, learned: Tensor) -> Tensor:
        return 2 * learned


@every_score
def test_weights_may_be_parametrized(name: str) -> None:
    score, _ = SCORES[name](SIZES)
    if not isinstance(score, nn.Module):
        return
    doubled = {name: 2 * weight.detach() for name, weight in score.named_parameters()}
    query, key = pair()
    wanted = with_weights(copy.deepcopy(score), doubled, query, key)
    for path in doubled:
        holder, _, own = path.rpartition(".")
        parametrize.register_parametrization(score.get_submodule(holder), own, _Doubled())
    found = score(query, key)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-13)
    if doubled:
        found.square().sum().backward()
    for path, weight in score.named_parameters():
        assert weight.grad is not None, path


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, at first use
@every_score
def test_derivatives_are_right_in_every_direction(name: str) -> None:
    """Forwards, forwards over backwards, and for each sequence by itself."""
    sizes = Sizes(2, 2, 2, 2, 3, 2)
    score, _ = SCORES[name](sizes)
    query, key = pair(sizes)
    weights = weights_of(score)

    def evaluate(weights: dict[str, Tensor], query: Tensor, key: Tensor) -> Tensor:
        return with_weights(score, weights, query, key)

    at = {name: x.detach() for name, x in weights.items()}, query, key
    along = torch.utils._pytree.tree_map(torch.randn_like, at)
    _, found = torch.func.jvp(evaluate, at, along)
    columns = torch.func.jacrev(evaluate, argnums=(0, 1, 2))(*at)
    flat = torch.utils._pytree.tree_leaves
    products = zip(flat(columns), flat(along), strict=True)
    wanted = sum((x.flatten(found.ndim) @ v.flatten() for x, v in products), 0 * found)
    torch.testing.assert_close(found, wanted)

    def loss(query: Tensor) -> Tensor:
        return evaluate(at[0], query, key).square().sum()

    second = torch.autograd.functional.hessian(loss, query)
    torch.testing.assert_close(torch.func.hessian(loss)(query), second)

    def of_one(weights: dict[str, Tensor], query: Tensor, key: Tensor) -> Tensor:
        return evaluate(weights, query[None], key[None]).square().sum()

    each = torch.func.vmap(torch.func.grad(of_one), in_dims=(None, 0, 0))(*at)
    for n in range(2):
        alone = torch.func.grad(of_one)(at[0], query[n], key[n])
        torch.testing.assert_close({name: x[n] for name, x in each.items()}, alone)


@every_score
def test_scores_need_no_device_but_that_of_their_inputs(name: str) -> None:
    """Whatever device tensors are made on by default; and without numbers, shapes are the same."""
    score, _ = SCORES[name](SIZES)
    query, key = pair()
    wanted = score(query, key)
    with torch.device("meta"):
        score.check(query, key)
        found = score(query, key)
    assert found.device.type == "cpu" and torch.equal(found, wanted)
    with torch.inference_mode():
        assert torch.equal(score(query, key), wanted)
    for convert in (lambda x: x.to("meta"), FakeTensorMode().from_tensor):
        weights = {name: convert(x.detach()) for name, x in weights_of(score).items()}
        if dataclasses.is_dataclass(score):
            held = {
                name: convert(x.detach())
                for name, x in vars(score).items()
                if isinstance(x, Tensor)
            }
            moved = dataclasses.replace(score, **held)
        else:
            moved = score
        found = with_weights(moved, weights, convert(query), convert(key))
        assert found.shape == wanted.shape and found.dtype == wanted.dtype


@pytest.mark.parametrize(
    "make",
    [
        lambda n: Additive(n, n, n), lambda n: Additive(n, hidden_dim=n), lambda n: Bilinear(n, n),
        lambda n: LuongConcat(n, n, n), lambda n: ConcatLinear(n, n, n), lambda n: Location(n, n),
        lambda n: ConcatTanhSum(n, n, n), lambda n: MLP(n, n, (n, n)),
        lambda n: GATv2(n, n, n),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numpy_integers_are_the_integers_they_stand_for(
    make: Callable[[int], nn.Module], kind: type
) -> None:
    score = make(kind(3))
    assert repr(score) == repr(make(3))
    widths = [x for name, x in vars(score).items() if name.endswith("_dim")]
    assert {type(x) for x in widths} <= {int, type(None)}
    for wrong in (True, np.bool_(True), 1.5, "3", torch.tensor(3)):
        with pytest.raises(Exception, match="int|Index"):
            make(wrong)
    with pytest.raises(ValueError, match=">= 1, got 0; "):
        make(0)
