"""What is no weights is refused by every explanation, in one sentence with numbers and the fix."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from regard import explain
from tests.explain.drawn import weights
from tests.one_by_one import all_in_one

pytestmark = pytest.mark.usefixtures("as_users_have_it")

Call = Callable[[Any], Any]

OF_WEIGHTS: dict[str, Call] = {
    "normalized": explain.normalized,
    "rollout": explain.rollout,
    "rollout_over_uniform": explain.rollout_over_uniform,
    "cross_rollout": lambda w: explain.cross_rollout(None, w, w),
    "flow": explain.flow,
    "attention_times_gradient": lambda w: explain.attention_times_gradient(w, w),
    "relevance": lambda w: explain.relevance(w, w),
    "cross_relevance": lambda w: explain.cross_relevance(None, (w, w), (w, w)),
    "entropy": explain.entropy,
    "mean_distance": explain.mean_distance,
    "sink_mass": explain.sink_mass,
    "without_sink": explain.without_sink,
    "head_tags": explain.head_tags,
    "token_times": lambda w: explain.token_times(w, seconds_per_frame=0.02),
    "difference": lambda w: explain.difference(w, w),
    "total_variation": lambda w: explain.total_variation(w, w),
    "heads_where": lambda w: explain.heads_where(w, [0], [0]),
}
"""Every function that takes the weights of all layers."""

NORMALIZED = {
    "rollout", "rollout_over_uniform", "cross_rollout", "flow", "entropy", "mean_distance",
    "head_tags", "total_variation",
}  # fmt: skip
"""Those to which it matters that rows sum to one."""


def good() -> Tensor:
    return weights(3, 2, 2, 4, 4)


def spoiled(value: float) -> Tensor:
    bad = good()
    bad[1, 0, 1, 2, 3] = value
    return bad


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_good_weights_pass_in_every_form(name: str) -> None:
    call = OF_WEIGHTS[name]
    for form in (good(), list(good()), tuple(good()), explain.normalized(good())):
        call(form)
    call([Captured(layer) for layer in good()])
    call(good().float())
    call(good().bfloat16())


@pytest.mark.parametrize("name", OF_WEIGHTS)
@all_in_one(
    ("bad", "error", "words"),
    [
        (lambda: good()[0], ValueError, r"\[2, 2, 4, 4\].*\[None\]"),
        (lambda: good()[0, 0], ValueError, r"got \[2, 4, 4\]"),
        (lambda: list(good()[:, 0]), ValueError, r"of layer 0 as \[batch, heads.*\[2, 4, 4\]"),
        (lambda: [], ValueError, "at least one layer, got 0"),
        (lambda: good()[:, :, :0], ValueError, r"at least one head.*\[2, 0, 4, 4\]"),
        (lambda: good()[..., :0], ValueError, r"\[2, 2, 4, 0\]"),
        (lambda: [good()[0], None], ValueError, r"layer 1 gave no weights.*regard\.capture"),
        (lambda: [good()[0], "x"], TypeError, "of layer 1 as a tensor, got str"),
        (lambda: 3, TypeError, "got int"),
        (lambda: good().long(), TypeError, "torch.int64; say .float()"),
        (lambda: spoiled(torch.nan), ValueError,
         "layer 1 is not finite .nan. at batch 0, head 1, query 2, key 3"),
        (lambda: spoiled(torch.inf), ValueError, "layer 1 is not finite .inf."),
        (lambda: spoiled(-0.25), ValueError,
         "layer 1 is negative .-0.25. at batch 0, head 1, query 2, key 3"),
        (lambda: [good()[0], good()[0, :1]], ValueError, "a batch of 1, that of layer 0 2"),
    ],
)  # fmt: skip
def test_what_is_no_weights_is_refused(
    name: str, bad: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        OF_WEIGHTS[name](bad())


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_rows_that_do_not_sum_to_one_are_refused_where_that_matters(name: str) -> None:
    bad = good()
    bad[2, 1, 0, 3] *= 0.5
    if name in NORMALIZED:
        words = "layer 2 sums to 0.5 in the row batch 1, head 0, query 3.*explain.normalized"
        with pytest.raises(ValueError, match=words):
            OF_WEIGHTS[name](bad)
        OF_WEIGHTS[name](explain.normalized(bad))
    else:
        OF_WEIGHTS[name](bad)


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_inputs_are_not_changed_and_a_batch_may_be_empty(name: str) -> None:
    given = good()
    before = given.clone()
    OF_WEIGHTS[name](given)
    assert torch.equal(given, before)
    if name not in {"head_tags", "token_times", "heads_where"}:
        OF_WEIGHTS[name](given[:, :0])


@pytest.mark.parametrize("name", sorted(set(OF_WEIGHTS) - {"head_tags", "token_times", "flow"}))
def test_items_of_a_batch_do_not_see_each_other(name: str) -> None:
    given = good()
    together, alone = OF_WEIGHTS[name](given), OF_WEIGHTS[name](given[:, 1:])
    for one, other in zip(tensors(together), tensors(alone), strict=True):
        torch.testing.assert_close(one[1:], other)


def tensors(found: Any) -> list[Tensor]:
    if isinstance(found, explain.Explanation):
        return [found.values]
    if isinstance(found, explain.ByLayer):
        return list(found.values)
    if isinstance(found, (explain.CrossRollout, explain.CrossRelevance)):
        return [found.source.values, found.target.values]
    return []


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_layers_of_several_dtypes_meet_in_the_widest(name: str) -> None:
    given = list(good())
    mixed = [given[0].half(), given[1].float(), given[2]]
    for found in tensors(OF_WEIGHTS[name](mixed)):
        assert found.dtype == torch.float64
    for found in tensors(OF_WEIGHTS[name]([layer.bfloat16() for layer in given])):
        assert found.dtype == torch.float32
    with pytest.raises(ValueError, match="layer 1 is on meta, layer 0 on cpu; bring all"):
        OF_WEIGHTS[name]([given[0], given[1].to("meta")])


def test_two_stacks_of_different_dtypes_meet_too() -> None:
    wide, narrow = weights(2, 1, 2, 4, 4), weights(2, 1, 2, 4, 4, seed=1).float()
    for encoder in (None, wide, narrow):
        found = explain.cross_rollout(encoder, narrow, wide)
        assert found.source.values.dtype == torch.float64
    pairs = (wide, wide), (narrow, narrow)
    explain.cross_relevance(pairs[0], pairs[1], pairs[0])
    explain.cross_relevance(pairs[1], pairs[0], pairs[1])


@pytest.mark.parametrize("name", ["attention_times_gradient", "relevance"])
def test_gradients_fit_the_weights(name: str) -> None:
    call = getattr(explain, name)
    with pytest.raises(ValueError, match="same layers, got 3 and 2"):
        call(good(), good()[:2])
    with pytest.raises(ValueError, match=r"layer 0, weights has .*\[2, 2, 4, 4\] .*\[2, 1, 4, 4\]"):
        call(good(), good()[:, :, :1])
    with pytest.raises(ValueError, match="gradients of layer 1 is not finite"):
        call(good(), spoiled(torch.nan))
    call(good(), spoiled(-1.0))


@pytest.mark.parametrize("name", ["rollout", "rollout_over_uniform", "flow"])
def test_layers_follow_one_another(name: str) -> None:
    apart = [weights(1, 1, 4, 4), weights(1, 1, 5, 5)]
    with pytest.raises(ValueError, match="layer 1 of weights reads 5 tokens and layer 0 gives 4"):
        OF_WEIGHTS[name](apart)


@pytest.mark.parametrize("name", ["rollout", "flow", "cross_rollout"])
@pytest.mark.parametrize("residual", [1.0, -0.1, True, "half"])
def test_the_residual_is_a_share(name: str, residual: Any) -> None:
    call: Any = getattr(explain, name)
    args = (None, good(), good()) if name == "cross_rollout" else (good(),)
    with pytest.raises(ValueError, match="residual from 0 up to, but not including, 1"):
        call(*args, residual=residual)
    with pytest.raises(ValueError, match='by "mean", "max" or "min", got \'median\''):
        call(*args, heads="median")


class Captured:
    """What gives its weights when it is asked, as a captured map does."""

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def weights(self) -> Tensor:
        return self.held
