import torch

from regard.normalizers import Hard, hard, softmax


def test_the_first_of_equal_scores_wins() -> None:
    scores = torch.zeros(50, 37)
    assert torch.equal(hard(scores).argmax(-1), torch.zeros(50, dtype=torch.long))
    where = torch.arange(37) >= 5
    assert torch.equal(hard(scores, where).argmax(-1), torch.full((50,), 5))


def test_straight_through_is_exactly_one_hot_with_softmax_gradients() -> None:
    scores = (5 * torch.randn(40, 33)).requires_grad_()
    where = torch.rand(40, 33) < 0.7
    flow = torch.randn(40, 33)
    weights = Hard(straight_through=True)(scores, where)
    assert torch.equal(weights, hard(scores, where))
    (gradient,) = torch.autograd.grad(weights, scores, flow)
    (expected,) = torch.autograd.grad(softmax(scores, where), scores, flow)
    assert torch.equal(gradient, expected) and gradient.abs().sum() > 0


def test_without_straight_through_it_is_the_function() -> None:
    scores = torch.randn(4, 9, requires_grad=True)
    assert torch.equal(Hard()(scores), hard(scores))
    assert not Hard()(scores).requires_grad
