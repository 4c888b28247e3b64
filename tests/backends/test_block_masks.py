"""FlexAttention's block masks are kept for masks that follow from numbers, and for no other."""

import pytest
import torch

import regard
from regard._backends import flex
from regard._backends._call import Call
from regard.masks import Causal, Dense, Mask
from tests.probe import assert_same, evaluate, run_flex_eagerly


def test_a_block_mask_is_kept_for_numbers_and_made_anew_for_tensors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_flex_eagerly(monkeypatch)
    flex._kept_block_mask.cache_clear()
    held = torch.rand(2, 2, 6, 6) < 0.6
    inputs = [torch.randn(2, 2, 6, 16) for _ in range(3)]
    mask = Causal() & Dense(held)
    for _ in range(2):
        with torch.no_grad():
            found = flex.run(_call(inputs, mask))
        wanted = evaluate(*inputs, mask=mask, backend="reference")["output"]
        assert_same({"output": found}, {"output": wanted}, 1e-5)
        held.logical_not_()
    assert flex._kept_block_mask.cache_info().currsize == 0
    for _ in range(2):
        flex.run(_call(inputs, Causal()))
    assert flex._kept_block_mask.cache_info().hits == 1


def _call(inputs: list[torch.Tensor], mask: Mask) -> Call:
    return regard.plan(*inputs, mask=mask, backend="flex").call
