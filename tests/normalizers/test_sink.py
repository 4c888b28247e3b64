import pytest
import torch
from torch import Tensor

from regard.normalizers import Sink, softmax, softmax_one


def sink_of(*values: float) -> Sink:
    sink = Sink(len(values)).double()
    with torch.no_grad():
        sink.sink.copy_(torch.tensor(values))
    return sink


def test_the_sink_is_a_key_that_takes_weight_and_is_dropped() -> None:
    scores = torch.randn(2, 3, 4, 7, dtype=torch.float64)
    values = (0.3, -1.2, 2.5)
    weights = sink_of(*values)(scores)
    for head, value in enumerate(values):
        grown = scores[:, head].exp()
        expected = grown / (torch.tensor(value).double().exp() + grown.sum(-1, keepdim=True))
        torch.testing.assert_close(weights[:, head], expected, rtol=0, atol=1e-8)


def test_it_starts_as_softmax_one_and_is_softmax_at_minus_infinity() -> None:
    scores, where = torch.randn(2, 3, 4, 7), torch.rand(2, 3, 4, 7) < 0.6
    where[:, :, 1] = False
    assert torch.equal(Sink(3)(scores, where), softmax_one(scores, where))
    none = sink_of(*[-torch.inf] * 3).float()
    torch.testing.assert_close(none(scores, where), softmax(scores, where), rtol=0, atol=1e-6)


def test_large_scores_and_sinks_do_not_overflow() -> None:
    scores = torch.tensor([[[[2000.0, 2000.0]], [[-2000.0, -2000.0]]]])
    weights = sink_of(-2000.0, 2000.0)(scores)
    torch.testing.assert_close(weights[0, 0], torch.tensor([[0.5, 0.5]]))
    assert (weights[0, 1] == 0).all()


def test_derivatives_to_sink_and_scores_agree_with_finite_differences() -> None:
    scores = torch.randn(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    where = torch.rand(1, 2, 3, 4) < 0.7
    where[:, :, 1] = False
    sink = sink_of(0.4, -0.7)

    def weigh(values: Tensor, scores: Tensor) -> Tensor:
        return torch.func.functional_call(sink, {"sink": values}, (scores, where))

    values = sink.sink.detach().requires_grad_()
    assert torch.autograd.gradcheck(weigh, (values, scores))
    assert torch.autograd.gradgradcheck(weigh, (values, scores))


def test_rows_without_a_permitted_key_give_the_sink_no_gradient() -> None:
    scores, sink = torch.full((1, 2, 3, 5), torch.nan), Sink(2)
    where = torch.zeros(3, 5, dtype=torch.bool)
    weights = sink(scores, where)
    weights.backward(torch.randn(1, 2, 3, 5))
    assert (weights == 0).all() and (sink.sink.grad == 0).all()


def test_each_head_learns_its_own() -> None:
    scores = torch.randn(1, 2, 50, 6, dtype=torch.float64)
    target, sink = sink_of(1.0, -2.0)(scores).detach(), Sink(2).double()
    optimizer = torch.optim.Adam(sink.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (sink(scores) - target).square().sum().backward()
        optimizer.step()
    torch.testing.assert_close(
        sink.sink.detach(), torch.tensor([1.0, -2.0]).double(), rtol=0, atol=2e-2
    )


def test_another_number_of_heads_is_refused_with_both_numbers() -> None:
    query = torch.zeros(1, 3, 5, 8)
    with pytest.raises(ValueError, match="num_heads=4, but query has 3 heads"):
        Sink(4).check(query, query)
    Sink(3).check(query, query)


def test_it_prints_its_heads_and_saves_one_tensor() -> None:
    assert repr(Sink(3)) == "Sink(num_heads=3)"
    assert list(Sink(3).state_dict()) == ["sink"]
