import pytest
import torch

from regard.masks import Document

ZERO = torch.tensor(0)


def test_packed_documents_make_square_blocks() -> None:
    position = torch.arange(6)
    dense = Document(torch.tensor([0, 0, 1, 1, 1, 2]))(ZERO, ZERO, position[:, None], position)
    squares = torch.block_diag(*(torch.ones(n, n) for n in (2, 3, 1))).bool()
    assert torch.equal(dense, squares)


def test_a_document_may_come_back() -> None:
    dense = Document(torch.tensor([5, -1, 5]))(ZERO, ZERO, ZERO, torch.arange(3))
    assert dense.tolist() == [True, False, True]


def test_ids_of_queries_belong_to_the_call_wherever_it_stands() -> None:
    mask = Document(torch.tensor([0, 1]), key_ids=torch.tensor([1, 1, 0]))
    for offset in (-3, 0, 5):
        q = torch.arange(2)[:, None] + offset
        dense = mask.aligned(offset)(ZERO, ZERO, q, torch.arange(3))
        assert dense.tolist() == [[False, False, True], [True, True, False]]


def test_queries_before_the_first_id_are_refused() -> None:
    with pytest.raises(ValueError, match="position 0 but the first query stands at -2; .*key_ids"):
        Document(torch.tensor([0, 1, 1])).aligned(-2)


@pytest.mark.parametrize("ids", [torch.zeros(3), torch.zeros(3, dtype=torch.bool), torch.tensor(1)])
def test_ids_that_are_not_integers_are_refused(ids: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="Document needs ids to be integers .* got .*; "):
        Document(ids)
    with pytest.raises(TypeError, match="Document needs key_ids to be integers .* got .*; "):
        Document(torch.tensor([1]), ids)


def test_a_first_query_needs_ids_of_its_own() -> None:
    with pytest.raises(ValueError, match="first_query 3 but 0 key_ids; "):
        Document(torch.tensor([0, 1]), first_query=3)
