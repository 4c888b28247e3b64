"""FlexAttention called by hand and the operator agree: one object serves both (CPU, uncompiled)."""

import inspect
from typing import Any

import pytest
import torch
from torch.nn.attention import flex_attention as flex

import regard
from regard.masks import Causal, SlidingWindow
from tests.contracts.test_masks import MASKS
from tests.one_by_one import all_in_one
from tests.parts import MASKS_AND_MODS, Sizes, mask_and_rule, mod_and_rule, tensors
from tests.probe import assert_same, run_flex_eagerly


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    run_flex_eagerly(monkeypatch)


def _bound(part: Any, offset: int) -> Any:
    return part.aligned(offset) if hasattr(part, "aligned") else part


@pytest.mark.parametrize("backend", ["reference", "flex"])
@all_in_one("q_offset", [0, 2])
@all_in_one(("mask", "mod"), MASKS_AND_MODS[::3])
def test_the_operator_equals_flex_attention_called_by_hand(
    mask: str | None, mod: str | None, q_offset: int, backend: str
) -> None:
    if backend == "flex" and (mod or "").startswith("RelativeDot"):
        return  # which it refuses
    sizes = Sizes(2, 4, 2, 5, 7, 4, 4)
    query, key, value = (x.float() for x in tensors(sizes))
    mask_part = mask_and_rule(mask, sizes, q_offset)[0] if mask else None
    mod_part = mod_and_rule(mod, sizes, q_offset)[0] if mod else None
    bound_mask, bound_mod = _bound(mask_part, q_offset), _bound(mod_part, q_offset)

    def block(b: Any, h: Any, q: Any, k: Any) -> Any:
        return bound_mask(b, h, q + q_offset, k)

    def change(score: Any, b: Any, h: Any, q: Any, k: Any) -> Any:
        return bound_mod(score, b, h, q + q_offset, k)

    with torch.no_grad():
        blocks = flex.create_block_mask(block, 2, 4, 5, 7, device="cpu") if mask else None
        wanted = flex.flex_attention(
            query, key, value, change if mod else None, blocks, enable_gqa=True
        )
        found = regard.attention(
            query, key, value, mask=mask_part, score_mod=mod_part, q_offset=q_offset,
            backend=backend,
        )  # fmt: skip
    assert_same({"output": found}, {"output": wanted}, 1e-5)


@all_in_one("name", MASKS)
def test_the_support_of_the_weights_is_the_mask_of_torch(name: str) -> None:
    sizes = Sizes(2, 3, 3, 6, 6)
    query, key, _ = tensors(sizes)
    mask, _ = mask_and_rule(name, sizes, 0)
    wanted = flex.create_mask(inspect.unwrap(_bound(mask, 0)), 2, 3, 6, 6, device="cpu")
    assert torch.equal(regard.attention_weights(query, key, mask=mask) != 0, wanted)


@pytest.mark.parametrize("backend", ["reference", "chunked", "sdpa", "banded", "flex"])
@all_in_one("left", [0, 1, 126, 127, 128, 129])
def test_c3_a_window_shows_exactly_its_keys(left: int, backend: str) -> None:
    query, key = torch.randn(1, 1, 260, 4), torch.randn(1, 1, 260, 4)
    with torch.no_grad():
        seen = regard.attention(
            query, key, torch.eye(260)[None, None], mask=SlidingWindow(left), backend=backend
        )
    ones = torch.ones(260, 260, dtype=torch.bool)
    assert torch.equal(seen[0, 0] != 0, ones.tril() & ones.triu(-left))


@pytest.mark.parametrize("lengths", [(1, 1), (127, 129), (129, 127), (130, 260)], ids=str)
def test_a17_lengths_beside_the_block_size(lengths: tuple[int, int]) -> None:
    query, key, value = (x.float() for x in tensors(Sizes(2, 2, 1, *lengths, 8, 8)))
    parts = {"mask": Causal() & SlidingWindow(50)}
    with torch.no_grad():
        found = regard.attention(query, key, value, **parts, backend="flex")
        wanted = regard.attention(query, key, value, **parts, backend="reference")
    assert_same({"output": found}, {"output": wanted}, 1e-5)
