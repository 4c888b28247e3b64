"""What chunks compute again in the backward pass is what they computed in the forward pass."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import regard
from regard._backends import chunked
from regard.masks import Dense
from regard.normalizers import LearnedEntmax, softmax, sparsemax
from regard.score_mods import Bias, RelativeBias
from regard.scores import Additive, FeatureMapDot
from tests.probe import assert_same, evaluate


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut every call into chunks of about three queries, where it may be cut."""
    monkeypatch.setattr(chunked, "CHUNK_BYTES", 3 * 2 * 2 * 9 * 4)


def inputs() -> list[Tensor]:
    return [torch.randn(2, 2, 9, 4).requires_grad_() for _ in range(3)]


class Net(nn.Module):
    """A score of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        return torch.tanh(self.layer(query)) @ key.mT


class Held:
    """An object with a method that is a score."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        return (query * self.weight) @ key.mT


WEIGHT = torch.ones(4)


def _module_level(query: Tensor, key: Tensor) -> Tensor:
    return (query * WEIGHT) @ key.mT


def _closure(weight: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda query, key: (query * weight) @ key.mT


def _changeable() -> dict[str, tuple[dict[str, Any], Callable[[], Any]]]:
    additive, relative, entmax, net = Additive(4, 4, 3), RelativeBias(2), LearnedEntmax(2), Net()
    mapped = nn.Linear(4, 4)
    bias, mask = torch.randn(1, 2, 9, 9), torch.rand(1, 2, 9, 9) < 0.8
    closed, held = torch.ones(4), Held(torch.ones(4))
    keep = {"normalizer": sparsemax}
    return {
        "a score's weight": ({"score": additive}, lambda: additive.v.add_(1.0)),
        "a user's module": ({"score": net}, lambda: net.layer.weight.mul_(2.0)),
        "a replaced weight": (
            {"score": net}, lambda: setattr(net.layer, "weight", nn.Parameter(torch.ones(4, 4)))),
        "a feature map": (
            {"score": FeatureMapDot(mapped), **keep}, lambda: mapped.weight.mul_(2.0)),
        "a bias": ({"score_mod": Bias(bias), **keep}, lambda: bias.add_(1.0)),
        "a table of biases": ({"score_mod": relative, **keep}, lambda: relative.weight.add_(1.0)),
        "a mask": ({"mask": Dense(mask), **keep}, lambda: mask.logical_not_()),
        "a normalizer's weight": ({"normalizer": entmax}, lambda: entmax.a.add_(1.0)),
        "a closure": ({"score": _closure(closed), **keep}, lambda: closed.mul_(2.0)),
        "a global": ({"score": _module_level, **keep}, lambda: WEIGHT.mul_(2.0)),
        "a method": ({"score": held.score, **keep}, lambda: setattr(held, "weight", 2 * WEIGHT)),
    }  # fmt: skip


@pytest.mark.parametrize("name", _changeable())
def test_a_part_that_changed_in_between_is_an_error(name: str) -> None:
    parts, change = _changeable()[name]
    given = inputs()
    assert chunked.chunk_rows(regard.plan(*given, **parts, backend="chunked").call) < 9
    output = regard.attention(*given, **parts, backend="chunked")
    with torch.no_grad():
        change()
    with pytest.raises(RuntimeError, match="modified between its forward and its backward pass"):
        output.sum().backward()


@pytest.mark.parametrize("name", _changeable())
def test_a_part_that_did_not_change_is_none(name: str) -> None:
    parts, _ = _changeable()[name]
    given = inputs()
    wanted = evaluate(*given, **copy.deepcopy(parts), backend="reference")
    assert_same(evaluate(*given, **parts, backend="chunked"), wanted, 1e-5)


def test_two_networks_trained_against_each_other_get_an_error_not_another_gradient() -> None:
    score, given = Additive(16, 16, 32), [torch.randn(8, 4, 128, 16) for _ in range(3)]
    given[0].requires_grad_()
    optimizer = torch.optim.SGD(score.parameters(), lr=1.0)
    first, second = (regard.attention(*given, score=score).sum() for _ in range(2))
    first.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified between"):
        second.backward()


class Counted(nn.Module):
    """A score with a state that each call advances, as a running mean does."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return query @ key.mT * (1 + 0.1 * self.calls)


def test_a_score_with_a_state_runs_once_for_each_call() -> None:
    score = Counted()
    regard.attention(*inputs(), score=score).sum().backward()
    assert score.calls == 1
    score.eval()
    regard.attention(*inputs(), score=score).sum().backward()
    assert score.calls == 1


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
@pytest.mark.parametrize("new", [True, False])
def test_spectral_norm_takes_one_step_for_each_call(new: bool) -> None:
    def made() -> Net:
        torch.manual_seed(0)
        net = Net()
        norm = nn.utils.parametrizations.spectral_norm if new else nn.utils.spectral_norm
        norm(net.layer)
        return net

    states = []
    for backend in ("reference", None):
        torch.manual_seed(1)
        net, given = made(), inputs()
        output = regard.attention(*given, score=net, normalizer=softmax, backend=backend)
        output.sum().backward()
        states.append((output, given[0].grad, *net.state_dict().values()))
    for wanted, found in zip(*states, strict=True):
        torch.testing.assert_close(found, wanted)
