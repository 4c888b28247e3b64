import pytest
import torch

from regard.normalizers import TopK, softmax


@pytest.mark.parametrize("k", [1, 3, 8])
def test_exactly_k_keys_are_kept_ties_included(k: int) -> None:
    for scores in (torch.randn(20, 9), torch.zeros(20, 9)):
        assert ((TopK(k)(scores) > 0).sum(-1) == k).all()


def test_the_best_are_kept_and_share_by_softmax() -> None:
    scores = torch.randn(20, 9, dtype=torch.float64)
    kept = scores >= scores.sort(-1, descending=True).values[:, 2:3]
    torch.testing.assert_close(TopK(3)(scores), softmax(scores, kept), rtol=0, atol=1e-15)


def test_fewer_permitted_keys_than_k_are_all_kept() -> None:
    scores = torch.randn(20, 9)
    where = torch.arange(9) < 2
    torch.testing.assert_close(TopK(5)(scores, where), softmax(scores, where))
    torch.testing.assert_close(TopK(50)(scores), softmax(scores))


@pytest.mark.parametrize("k", [0, -3])
def test_keeping_nothing_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=f"k >= 1, got {k}"):
        TopK(k)
