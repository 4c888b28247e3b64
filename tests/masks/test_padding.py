import pytest
import torch

from regard.masks import Padding

KEEP = torch.tensor([[True, True, False], [True, False, False]])
AT = (torch.arange(2)[:, None], torch.tensor(0), torch.tensor(0), torch.arange(3))


def test_the_three_ways_to_say_it_agree() -> None:
    for mask in (Padding(torch.tensor([2, 1])), Padding(keep=KEEP), Padding(ignore=~KEEP)):
        assert torch.equal(mask(*AT), KEEP)


@pytest.mark.parametrize("given", [{}, {"keep": KEEP, "ignore": ~KEEP}])
def test_exactly_one_is_given(given: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=f"exactly one of .* got {len(given)}; "):
        Padding(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"keep": KEEP.float()},
        {"keep": KEEP.long()},
        {"ignore": KEEP.float()},
        {"ignore": torch.where(KEEP, 0, -torch.inf)},
        {"lengths": KEEP},
        {"lengths": torch.tensor([2.0, 1.0])},
        {"lengths": torch.tensor([[2], [1]])},
        {"keep": KEEP[0]},
    ],
    ids=str,
)
def test_a_tensor_whose_meaning_must_be_guessed_is_refused(given: dict[str, torch.Tensor]) -> None:
    with pytest.raises(TypeError, match="Padding needs .* got .*; "):
        Padding(**given)


def test_a_mask_passed_as_lengths_is_told_its_two_names() -> None:
    with pytest.raises(TypeError, match=r"Padding\(keep=mask\) or Padding\(ignore=mask\)"):
        Padding(KEEP)
