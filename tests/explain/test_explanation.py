"""Numbers with names to their axes."""

import pytest
import torch

from regard.explain import ByLayer, Explanation


def test_places_and_means_are_taken_by_name() -> None:
    values = torch.arange(24.0).reshape(2, 3, 4)
    found = Explanation(values, ("batch", "head", "query"))
    assert torch.equal(found.at(query=2, batch=1).values, values[1, :, 2])
    assert found.at(query=2, batch=1).axes == ("head",)
    torch.testing.assert_close(found.mean("batch", "query").values, values.mean((0, 2)))
    assert found.mean("batch", "query").axes == ("head",)


def test_layers_of_one_size_stack_and_others_say_why_not() -> None:
    one, other = torch.ones(1, 2, 3), torch.ones(1, 4, 3)
    alike = ByLayer((one, one), ("batch", "head", "query"))
    assert alike.stacked().axes == ("layer", "batch", "head", "query")
    assert alike.stacked().values.shape == (2, 1, 2, 3)
    with pytest.raises(ValueError, match=r"head=2, query=3, layer 1 batch=1, head=4"):
        ByLayer((one, other), ("batch", "head", "query")).stacked()


def test_layers_are_gone_through_and_end() -> None:
    found = ByLayer((torch.ones(1), torch.zeros(1)), ("batch",))
    assert [each.values.item() for each in found] == [1.0, 0.0] and len(found) == 2
    assert found[-1].values.item() == 0.0
    with pytest.raises(IndexError):
        found[2]


def test_names_must_fit() -> None:
    with pytest.raises(ValueError, match="2 names .* 3 dimensions"):
        Explanation(torch.ones(1, 2, 3), ("batch", "head"))
    with pytest.raises(ValueError, match="no axis 'haed': did you mean head"):
        Explanation(torch.ones(1), ("head",)).at(haed=0)
