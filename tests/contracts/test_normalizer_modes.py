"""Every normalizer in every way PyTorch runs code without compiling it: the same numbers as eager.

Under the compiler, `torch.jit.trace` and in exported graphs: `tests/compile/test_normalizers.py`.
"""

import copy
import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from regard.normalizers import GumbelSoftmax, LearnedEntmax, LocalGaussian, Sample, Sink
from tests.contracts.test_normalizers import Member, every, mask_of, scores_of, those

SHAPE = (2, 3, 4, 7)

pytestmark = [
    # PyTorch's own forward derivatives are compiled by what it deprecates.
    pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning"),
    # FakeTensorMode reads `.grad` of the tensors it imitates.
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),
]


def close(actual: Tensor, expected: Tensor, atol: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol)


def differentiated(normalizer: Callable, scores: Tensor, where: Tensor, flow: Tensor) -> Tensor:
    """The gradient by plain autograd."""
    scores = scores.clone().requires_grad_()
    return torch.autograd.grad(normalizer(scores, where), scores, flow)[0]


def elsewhere(normalizer: Callable, device: str) -> Callable:
    """The same normalizer with its tensors on another device."""
    if isinstance(normalizer, LocalGaussian):
        return dataclasses.replace(normalizer, center=normalizer.center.to(device))
    if isinstance(normalizer, torch.nn.Module):
        return copy.deepcopy(normalizer).to(device)
    return normalizer


@every
@pytest.mark.parametrize("batched", ["both", "scores", "mask"])
def test_under_vmap_each_sample_gets_the_weights_of_its_own_call(
    member: Member, batched: str
) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(5, *SHAPE), torch.stack([mask_of(*SHAPE) for _ in range(5)])
    in_dims = (None if batched == "mask" else 0, None if batched == "scores" else 0)
    if batched == "mask":
        scores = scores[0]
    if batched == "scores":
        where = where[0]
    expected = [
        normalizer(scores[i] if in_dims[0] == 0 else scores, where[i] if in_dims[1] == 0 else where)
        for i in range(5)
    ]
    close(vmap(normalizer, in_dims)(scores, where), torch.stack(expected))


@every
def test_vmap_nests_and_batches_any_axis(member: Member) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores = scores_of(2, 2, *SHAPE)
    expected = torch.stack([torch.stack([normalizer(one) for one in some]) for some in scores])
    close(vmap(vmap(normalizer))(scores), expected)
    last = vmap(vmap(normalizer, in_dims=4, out_dims=2), in_dims=1, out_dims=1)
    close(last(scores.movedim(0, -1).movedim(0, 1)).movedim(3, 0).movedim(2, 1), expected)


@those(differentiable=True)
def test_gradients_of_each_sample_by_vmap_are_those_of_its_own_call(member: Member) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where, flow = scores_of(3, *SHAPE), mask_of(*SHAPE), scores_of(3, *SHAPE)

    def loss(scores: Tensor, flow: Tensor) -> Tensor:
        return (normalizer(scores, where) * flow).sum()

    expected = [
        differentiated(normalizer, one, where, up) for one, up in zip(scores, flow, strict=True)
    ]
    close(vmap(grad(loss))(scores, flow), torch.stack(expected))


@every
@pytest.mark.parametrize("way", ["torch.func", "dual numbers"])
def test_the_forward_derivative_is_the_transpose_of_the_gradient(member: Member, way: str) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    direction, flow = torch.randn(2, *SHAPE, dtype=torch.float64)
    if way == "torch.func":
        weights, moved = jvp(lambda scores: normalizer(scores, where), (scores,), (direction,))
    else:
        with forward_ad.dual_level():
            dual = normalizer(forward_ad.make_dual(scores, direction), where)
            weights, moved = (
                None if x is None else x.clone() for x in forward_ad.unpack_dual(dual)
            )
    close(weights, normalizer(scores, where))
    if member.differentiable:
        gradient = differentiated(normalizer, scores, where, flow)
        close((moved * flow).sum(), (gradient * direction).sum(), atol=1e-9)
    else:
        assert moved is None or (moved == 0).all()


@every
def test_jacobians_and_hessians_agree_in_every_mode(member: Member) -> None:
    shape = (1, 2, 2, 4)
    normalizer = member.make(*shape[:3])
    scores, where, flow = scores_of(*shape), mask_of(*shape), scores_of(*shape)

    def weigh(scores: Tensor) -> Tensor:
        return normalizer(scores, where)

    def loss(scores: Tensor) -> Tensor:
        return (weigh(scores) * flow).sum()

    rows = torch.autograd.functional.jacobian(weigh, scores)
    close(jacrev(weigh)(scores), rows, atol=1e-10)
    close(jacfwd(weigh)(scores), rows, atol=1e-10)
    curvature = torch.autograd.functional.hessian(loss, scores)
    close(hessian(loss)(scores), curvature, atol=1e-8)
    close(jacrev(jacrev(loss))(scores), curvature, atol=1e-8)


@pytest.mark.slow
@every
def test_fake_tensors_get_shape_and_dtype_inside_their_mode_and_outside(member: Member) -> None:
    normalizer = member.make(*SHAPE[:3])
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    scores, where = mode.from_tensor(scores_of(*SHAPE)), mode.from_tensor(mask_of(*SHAPE))
    with mode:
        inside = normalizer(scores, where)
    for weights in (inside, normalizer(scores, where), normalizer(scores)):
        assert weights.shape == scores.shape and weights.dtype == scores.dtype


@pytest.mark.slow
@every
def test_meta_tensors_get_shape_dtype_and_gradient(member: Member) -> None:
    normalizer = elsewhere(member.make(*SHAPE[:3]), "meta")
    scores = scores_of(*SHAPE).to("meta").requires_grad_()
    for where in (None, mask_of(*SHAPE).to("meta")):
        weights = normalizer(scores, where)
        assert weights.is_meta and weights.shape == scores.shape and weights.dtype == scores.dtype
        if member.differentiable:
            assert torch.autograd.grad(weights.sum(), scores)[0].shape == SHAPE


@every
def test_the_default_device_does_not_matter(member: Member) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    expected = normalizer(scores, where)
    with torch.device("meta"):
        actual = normalizer(scores, where)
    close(actual, expected)


@pytest.mark.slow
@every
@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_a_graph_recorded_by_make_fx_gives_the_same_weights(member: Member, mode: str) -> None:
    normalizer = member.make(*SHAPE[:3])

    def weigh(scores: Tensor, where: Tensor) -> Tensor:
        return normalizer(scores, where)

    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    graph = make_fx(weigh, tracing_mode=mode, _allow_non_fake_inputs=True)(scores, where)
    others = scores_of(*SHAPE), mask_of(*SHAPE)
    close(graph(*others), normalizer(*others))


@every
def test_inference_mode_gives_the_same_weights(member: Member) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(*SHAPE), mask_of(*SHAPE)
    with torch.inference_mode():
        close(normalizer(scores, where), normalizer(scores.clone(), where.clone()))
        actual = normalizer(scores.clone(), where.clone())
    close(actual, normalizer(scores, where))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_and_rounded_once(
    member: Member, dtype: torch.dtype
) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(*SHAPE).to(dtype), mask_of(*SHAPE)
    flow = torch.randn(SHAPE).to(dtype)
    weights = normalizer(scores, where)
    assert torch.equal(weights, normalizer(scores.float(), where).to(dtype))
    if member.differentiable:
        gradient = differentiated(normalizer, scores, where, flow)
        expected = differentiated(normalizer, scores.float(), where, flow.float())
        assert torch.equal(gradient, expected.to(dtype))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_nothing(member: Member, dtype: torch.dtype) -> None:
    normalizer = member.make(*SHAPE[:3])
    scores, where = scores_of(*SHAPE, dtype=torch.float32), mask_of(*SHAPE)
    with torch.autocast("cpu", dtype):
        weights = normalizer(scores, where)
    close(weights, normalizer(scores, where), atol=1e-6)


@pytest.mark.parametrize(
    "normalizer", [Sample(), GumbelSoftmax(), GumbelSoftmax(hard=True)], ids=str
)
def test_unseeded_draws_differ_between_samples_of_vmap_if_told_to(normalizer: Callable) -> None:
    scores = torch.zeros(3, 1, 2, 30, 9)
    different = vmap(normalizer, randomness="different")(scores)
    assert not torch.equal(different[0], different[1])
    same = vmap(normalizer, randomness="same")(scores)
    assert torch.equal(same[0], same[1])
    captured = vmap(lambda _: normalizer(scores[0]), randomness="different")(scores)
    assert not torch.equal(captured[0], captured[1])


@pytest.mark.parametrize(
    "make", [lambda: LearnedEntmax(3), lambda: Sink(3)], ids=["entmax", "sink"]
)
def test_parameters_have_gradients_of_each_sample_and_forward_derivatives(make: Callable) -> None:
    normalizer = make().double()
    ((name, parameter),) = normalizer.named_parameters()
    scores, where, flow = scores_of(3, *SHAPE), mask_of(*SHAPE), torch.randn(SHAPE)

    def weigh(parameter: Tensor, scores: Tensor) -> Tensor:
        return torch.func.functional_call(normalizer, {name: parameter}, (scores, where))

    def loss(parameter: Tensor, scores: Tensor) -> Tensor:
        return (weigh(parameter, scores) * flow).sum()

    each = vmap(grad(loss), in_dims=(None, 0))(parameter.detach(), scores)
    for sample, gradient in zip(scores, each, strict=True):
        (expected,) = torch.autograd.grad(loss(parameter, sample), parameter)
        close(gradient, expected)
    rows = torch.autograd.functional.jacobian(lambda p: weigh(p, scores[0]), parameter.detach())
    close(jacfwd(weigh)(parameter.detach(), scores[0]), rows, atol=1e-10)
